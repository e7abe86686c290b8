package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// Each operation that no other test tells a story of succeeds once, with no more rights than its function has.
func TestOperationsHaveTheRightsThatTheyNeed(t *testing.T) {
	f := founder()
	brand := f.brand(t, "rights.example")
	left, right := f.partner(t, root(), "Rights left", brand), f.partner(t, root(), "Rights right", brand)
	customer := f.do(t, 201, "POST", "/v1/customers", map[string]any{"partnerId": left, "name": "Rights", "brandId": brand}).get(t, "id")
	changes := func(method, path string, body any) {
		t.Helper()
		f.waits(t, f.do(t, 202, method, path, body).get(t, "jobId"), time.Minute)
	}

	f.do(t, 200, "PATCH", pathOf(customer), map[string]any{"reference": "REF-71"})
	if found := f.do(t, 200, "GET", "/v1/search?q=ref-71", nil); !strings.Contains(string(found.body), customer) {
		t.Errorf("found: %s", found.body)
	}
	f.do(t, 200, "POST", pathOf(left)+"/move/preview", map[string]any{"parentId": right})
	f.do(t, 200, "POST", pathOf(customer)+"/move/preview", map[string]any{"parentId": right})
	changes("POST", pathOf(customer)+"/move", map[string]any{"parentId": right})
	changes("POST", pathOf(customer)+"/suspend", map[string]any{"reason": "Not paid."})
	changes("POST", pathOf(customer)+"/resume", map[string]any{})
	changes("DELETE", pathOf(customer), nil)
	f.do(t, 200, "GET", pathOf(right)+"/trash", nil)
	changes("POST", pathOf(customer)+"/restore", map[string]any{})
	f.do(t, 200, "PATCH", pathOf(left), map[string]any{"canProvisionServices": false})

	admin, _ := f.client(t, right, "admin")
	request := admin.do(t, 201, "POST", pathOf(customer)+"/move-requests", map[string]any{"parentId": left}).get(t, "id")
	admin.do(t, 200, "GET", pathOf(customer)+"/move-requests", nil)
	admin.do(t, 200, "POST", "/v1/move-requests/"+request+"/withdraw", map[string]any{})

	f.do(t, 200, "GET", "/v1/brands/"+brand, nil)
	f.do(t, 200, "GET", pathOf(left)+"/brands", nil)
	f.do(t, 200, "PATCH", "/v1/brands/"+brand, map[string]any{"logo": logo(t)})
	f.do(t, 200, "PATCH", "/v1/brands/"+brand, map[string]any{"logo": nil})
	f.do(t, 204, "DELETE", "/v1/brands/"+f.brand(t, "gone.example"), nil)

	_, client := f.client(t, left, "viewer")
	clientPath := "/v1/api-clients/" + client
	f.do(t, 200, "GET", "/v1/api-clients?nodeId="+left, nil)
	f.do(t, 200, "GET", clientPath, nil)
	f.do(t, 200, "PATCH", clientPath, map[string]any{"name": "Renamed"})
	secret := f.do(t, 201, "POST", clientPath+"/secrets", nil).get(t, "secret", "id")
	f.do(t, 204, "DELETE", clientPath+"/secrets/"+secret, nil)
	f.do(t, 200, "PUT", clientPath+"/grants/"+right, map[string]any{"role": "viewer"})
	f.do(t, 200, "GET", "/v1/access?"+url.Values{"principal": {client}, "node": {customer}}.Encode(), nil)
	f.do(t, 204, "DELETE", clientPath+"/grants/"+right, nil)

	pat := hire(t, "05", "Pat")
	invitation := f.invite(t, customer, "viewer", pat)
	f.do(t, 200, "GET", pathOf(customer)+"/invitations", nil)
	f.do(t, 200, "GET", pathOf(right)+"/invitations", nil)
	f.do(t, 200, "GET", pathOf(customer)+"/events", nil)
	link := mailed(t, pat, 1)
	b := browser(t)
	b.has(b.opens(link), "You are invited to “Rights”")
	b.presses("Sign in with Microsoft")
	b.presses(pat.Name)
	b.has(b.presses("Accept the invitation"), "Your access", "Rights")
	bounces(t, invitation)
	until(t, "the invitation says that its mail bounced", time.Minute, func() (bool, error) {
		return f.do(t, 200, "GET", "/v1/invitations/"+invitation, nil).get(t, "mail") == "bounced", nil
	})
	f.invite(t, right, "viewer", pat)
	link = mailed(t, pat, 2) // which greets Pat
	pat.Name = "Patricia"
	double(t, "/tenants/"+company+"/people", pat)
	b = browser(t)
	b.opens(link)
	b.presses("Sign in with Microsoft")
	b.presses(pat.Name)
	b.has(b.presses("Accept the invitation"), "Rights right")
	if found := f.do(t, 200, "GET", "/v1/search?kind=person&q="+pat.Name, nil); !strings.Contains(string(found.body), "Rights right") {
		t.Errorf("found: %s", found.body)
	}
	token := accessToken(t, platformApp(t).ClientID, pat)
	person := token.do(t, 200, "GET", "/v1/me", nil).get(t, "principal", "id")
	if users := f.do(t, 200, "GET", pathOf(customer)+"/users", nil); !strings.Contains(string(users.body), person) {
		t.Errorf("the users: %s", users.body)
	}
	f.do(t, 204, "PUT", pathOf(customer)+"/users/"+person, map[string]any{"role": "operator"})
	f.do(t, 204, "PUT", pathOf(right)+"/users/"+person, map[string]any{"role": "viewer"})
	f.do(t, 204, "DELETE", pathOf(customer)+"/users/"+person, nil)

	// An invitation of ten minutes ago, since a new one cannot be sent again at once.
	made := f.do(t, 201, "POST", "/v1/api-clients", map[string]any{"nodeId": left, "name": "Inviter", "role": "admin"})
	earlier := directory.New(store(), func() time.Time { return time.Now().Add(-2 * directory.ResendAfter) })
	invited, err := earlier.Invite(t.Context(), directory.Caller{
		Principal: ident.Principal(made.get(t, "id")), Key: ident.Key(made.get(t, "secret", "id")),
	}, directory.NewInvitation{Node: ident.Node(left), Email: "resend@e2e.example", Role: access.Viewer, Days: 7})
	if err != nil {
		t.Fatal(err)
	}
	f.do(t, 200, "POST", "/v1/invitations/"+string(invited.ID)+"/resend", map[string]any{})

	for range 2 * 20 { // so many that they are counted by all processes together
		b.opens(deployed.URL + "/me")
	}
	b.has(b.presses("Sign out everywhere"), "You have signed out")
	b.opens(deployed.URL + "/signout")
	b.opens(deployed.URL + "/signout/everywhere")
	token.do(t, 401, "GET", "/v1/me", nil)
}

// Who runs the platform gets in again when the keys of the root are lost, and renews what sessions are sealed with.
func TestTheRootIsRecoveredAndTheKeyringRotated(t *testing.T) {
	var found struct{ PartnerID, ClientID, Key string }
	if err := deployed.Invoke(t.Context(), "bootstrap", map[string]any{"recover": true}, &found); err != nil || found.PartnerID != root() {
		t.Fatalf("%+v, %v", found.PartnerID, err)
	}
	secretsOfTheRun.add(found.Key)
	recovered := actor{key: found.Key}
	recovered.do(t, 200, "GET", pathOf(root()), nil)
	if err := deployed.Invoke(t.Context(), "bootstrap", map[string]any{"rotate": true}, nil); err != nil {
		t.Fatal(err)
	}
}

// bounces tells in the place of Amazon SES that the first mail of an invitation bounced: nobody else may tell that here.
func bounces(t *testing.T, invitation string) {
	t.Helper()
	queue := sqs.NewFromConfig(aws.Config{Region: deployed.Region, BaseEndpoint: &deployed.Cloud,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	arn := deployed.Outputs[stage.OutMails]
	at, err := queue.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(arn[strings.LastIndex(arn, ":")+1:])})
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"source":"aws.ses","detail":{"eventType":"Bounce","mail":{"messageId":"e2e","tags":{"invitation":[%q],"generation":["1"]}}}}`, invitation)
	if _, err := queue.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: at.QueueUrl, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
}
