// Command notify is the Lambda function that mails the links of invitations, and notes what became of each mail. A queue brings it the
// events of invitations that were made or sent again, and what Amazon SES tells of mails that bounced or were complained about.
//
// No link is mailed twice, whatever comes twice or is repeated: a mail is claimed in the table before it is sent. So one whose sending
// was interrupted is not tried again either; it stays "sending", and people see that and send the invitation again.
//
// Where the brand's portal lets in only people of one Microsoft tenant, whoever is invited is made a guest there first, by the function
// guests. Its answer has a link that is as good as a key: it goes from there into the mail, and nowhere else.
package main

import (
	"net/mail"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/wiring"
	"example.com/partnertree/shared/awsenv"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/setting"
)

func main() {
	t, log := wiring.Table()
	from, err := mail.ParseAddress(os.Getenv(setting.MailFrom))
	if err != nil {
		log.Error("start", "cause", setting.MailFrom+" is no address with a name")
		os.Exit(1)
	}
	origin, err := url.Parse(os.Getenv(setting.PortalOrigin))
	if err != nil || origin.Host == "" {
		log.Error("start", "cause", setting.PortalOrigin+" is no scheme and host")
		os.Exit(1)
	}
	config := awsenv.Config()
	n := &notify{
		directory: directory.New(t, time.Now), guests: newGuests(config, os.Getenv(setting.Guests)), sender: newSES(config, *from, os.Getenv(setting.MailSet)),
		origin: *origin, stage: os.Getenv(setting.Stage), now: time.Now, log: log,
	}
	lambda.Start(n.handle)
}
