package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/mail"
	"example.com/partnertree/shared/metric"
)

// sender sends mails.
type sender interface {
	// send sends a mail about one link and returns the sender's id of it. The error is a refusal when the mail was certainly not sent;
	// any other one leaves that open. Neither holds an address.
	send(ctx context.Context, m mail.Message, about link) (id string, err error)
}

// guests makes people guests in the tenants of brands' apps.
type guests interface {
	// make makes a guest. An error means that this can be tried again, and that it may have been done. It has neither address nor link.
	make(ctx context.Context, o guest.Order) (guest.Outcome, error)
}

// refusal is why a mail was not sent, and will not be. It says no more than a code.
type refusal string

func (r refusal) Error() string { return string(r) }

// link is one of the links that an invitation has had.
type link struct {
	invitation ident.Invitation
	generation int
}

// notify mails links and notes what becomes of mails.
type notify struct {
	directory *directory.Directory
	guests    guests
	sender    sender
	origin    url.URL // where links lead to for those without a portal of a brand of their own: scheme and host
	stage     string
	now       func() time.Time
	log       *slog.Logger
}

// perMail is what one message may take at most. One that is begun must not be cut off: nobody would know whether its mail was sent.
const perMail = 30 * time.Second

// handle works through one batch of the queue. Each message is done or reported as failed; those that failed come again, and after some
// times go to where an alarm waits for them.
func (n *notify) handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	failed := []events.SQSBatchItemFailure{}
	for _, record := range batch.Records {
		if end, ok := ctx.Deadline(); ok && time.Until(end) < perMail {
			failed = append(failed, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
			continue
		}
		if err := n.take(ctx, record.Body); err != nil {
			n.log.ErrorContext(ctx, "failed", "message", record.MessageId, "error", err.Error())
			failed = append(failed, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		}
	}
	return events.SQSEventResponse{BatchItemFailures: failed}, nil
}

// envelope is an event of EventBridge, as far as it counts here.
type envelope struct {
	ID     string          `json:"id"`
	Source string          `json:"source"`
	Detail json.RawMessage `json:"detail"`
}

// fromSES is the source of what Amazon SES tells.
const fromSES = "aws.ses"

func (n *notify) take(ctx context.Context, body string) error {
	var e envelope
	if json.Unmarshal([]byte(body), &e) != nil {
		return errors.New("the message is no event")
	}
	switch e.Source {
	case event.Source:
		return n.invited(ctx, e.Detail)
	case fromSES:
		return n.told(ctx, e.Detail)
	default:
		return errors.New("the event is of an unknown source")
	}
}

// invited mails the link of an invitation that was made or sent again, unless that was begun before or is not wanted any more. What was
// begun before and is not noted since counts as lost: the answer to the claim may have been, or what was to send it has died. Who needs
// to be a guest to sign in is made one first, while nothing is claimed: done again, it does no harm. Once the mail is begun, the message is
// done.
func (n *notify) invited(ctx context.Context, detail json.RawMessage) error {
	var e event.Event
	if json.Unmarshal(detail, &e) != nil {
		return errors.New("the message is no event")
	}
	var i event.Invitation
	switch data := e.Data.(type) {
	case event.InvitationMadeData:
		i = data.Invitation
	case event.InvitationResentData:
		i = data.Invitation
	}
	if i.InvitationID == "" || i.Generation < 1 {
		return errors.New("the event is none of an invitation")
	}
	about := link{i.InvitationID, i.Generation}
	log := n.log.With("event", e.ID, "invitation", about.invitation, "generation", about.generation)
	due, err := n.directory.DueMail(ctx, about.invitation, about.generation)
	if errors.Is(err, directory.ErrMailBegun) { // and came to no end that anybody knows, or another one is at it just now
		log.ErrorContext(ctx, "mail", append(n.lost(), "outcome", "unknown", "error", err.Error())...)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the mail of %s: %w", about.invitation, err)
	}
	if due == nil {
		log.InfoContext(ctx, "mail", "outcome", "not wanted")
		return nil
	}
	to := n.links(due)
	as, refused, err := n.asGuest(ctx, due, &to)
	if err != nil {
		return fmt.Errorf("make the guest of %s: %w", about.invitation, err)
	}
	if refused != "" {
		return n.refuse(ctx, log, due, refused)
	}
	claimed, err := n.directory.ClaimMail(ctx, due, as)
	if err != nil {
		return fmt.Errorf("claim the mail of %s: %w", about.invitation, err)
	}
	if !claimed {
		log.InfoContext(ctx, "mail", "outcome", "not wanted")
		return nil
	}
	n.send(ctx, log, mail.Invitation(due, to), about)
	return nil
}

// links are the addresses in a mail, but for the one by which somebody becomes a guest.
func (n *notify) links(m *directory.Mail) mail.Links {
	origin := n.origin
	if b := m.Brand; b != nil && b.App != nil { // otherwise nobody signs in there
		if origin.Host = b.Host(); n.origin.Port() != "" {
			origin.Host += ":" + n.origin.Port()
		}
	}
	to := mail.Links{Invitation: origin.String() + "/invitations/" + m.Token.Text()}
	if m.Brand != nil && m.Brand.Vouched() && m.Brand.Logo != "" {
		to.Logo = origin.String() + m.Brand.LogoURL()
	}
	return to
}

// asGuest makes whoever is invited a guest, where the brand's app lets in nobody else, and puts the link that this takes into the mail's.
// It gives none for who is at home there.
func (n *notify) asGuest(ctx context.Context, m *directory.Mail, to *mail.Links) (as directory.Guest, refused guest.Refusal, err error) {
	if m.Brand == nil || m.Brand.App == nil || !m.Brand.App.SingleTenant {
		return directory.Guest{}, "", nil
	}
	tenant := m.Brand.App.Tenant
	out, err := n.guests.make(ctx, guest.Order{Tenant: tenant, Email: m.Email, Name: string(m.Name), Redirect: to.Invitation})
	if err != nil || out.Refused != "" || out.Object == "" {
		return directory.Guest{}, out.Refused, err
	}
	to.Redeem = out.RedeemURL
	return directory.Guest{Tenant: tenant, Object: out.Object, Of: m.Brand.Owner}, "", nil
}

// refuse notes why nothing is mailed, for those who invited. What they cannot do anything about is counted as lost.
func (n *notify) refuse(ctx context.Context, log *slog.Logger, m *directory.Mail, why guest.Refusal) error {
	refused, err := n.directory.RefuseMail(ctx, m, directory.MailProblem(why))
	switch {
	case err != nil:
		return fmt.Errorf("refuse a mail: %w", err)
	case !refused:
		log.InfoContext(ctx, "mail", "outcome", "not wanted")
	case why == guest.Rejected:
		log.ErrorContext(ctx, "mail", append(n.lost(), "outcome", "refused", "error", string(why))...)
	default:
		log.WarnContext(ctx, "mail", "outcome", "refused", "error", string(why))
	}
	return nil
}

// send sends a mail that is claimed, and notes what became of it.
func (n *notify) send(ctx context.Context, log *slog.Logger, m mail.Message, about link) {
	id, err := n.sender.send(ctx, m, about)
	var refused refusal
	switch {
	case err == nil:
		log.InfoContext(ctx, "mail", "outcome", "sent", "mail", id)
		n.note(ctx, log, about, directory.MailSent)
	case errors.As(err, &refused):
		log.ErrorContext(ctx, "mail", append(n.lost(), "outcome", "failed", "error", refused.Error())...)
		n.note(ctx, log, about, directory.MailFailed)
	default:
		log.ErrorContext(ctx, "mail", append(n.lost(), "outcome", "unknown", "error", err.Error())...)
	}
}

// lost are the attributes of a log line that count a mail which has perhaps not left.
func (n *notify) lost() []any { return metric.MailsLost.Attrs(n.now(), n.stage, 1) }

// note writes what became of a mail. When that fails the mail is left as it is: a repetition would find it claimed.
func (n *notify) note(ctx context.Context, log *slog.Logger, about link, state directory.MailState) {
	if err := n.directory.NoteMail(ctx, about.invitation, about.generation, state); err != nil {
		log.ErrorContext(ctx, "not noted", "state", state, "error", err.Error())
	}
}

// outcomes are what Amazon SES tells, by its names, and what it means for a mail.
// Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
var outcomes = map[string]directory.MailState{
	"Bounce": directory.MailBounced, "Complaint": directory.MailComplained, "Reject": directory.MailFailed,
}

// told notes what became of a mail after it was sent.
func (n *notify) told(ctx context.Context, detail json.RawMessage) error {
	var told struct {
		EventType string
		Mail      struct {
			MessageID string
			Tags      map[string][]string
		}
	}
	if json.Unmarshal(detail, &told) != nil {
		return errors.New("the event is none of a mail")
	}
	state, ok := outcomes[told.EventType]
	only := func(name string) string {
		if values := told.Mail.Tags[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	id, err1 := ident.ParseInvitation(only(tagInvitation))
	generation, err2 := strconv.Atoi(only(tagGeneration))
	if !ok || err1 != nil || err2 != nil {
		return errors.New("the event tells nothing of a mail of ours")
	}
	if err := n.directory.NoteMail(ctx, id, generation, state); err != nil {
		return fmt.Errorf("note the mail of %s: %w", id, err)
	}
	n.log.InfoContext(ctx, "mail", "invitation", id, "generation", generation, "outcome", state, "mail", told.Mail.MessageID)
	return nil
}
