package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// order is what to make.
type order struct {
	PartnerName string `json:"partnerName"` // of the root: the vendor
	ClientName  string `json:"clientName"`  // of the API client that becomes its owner
	// Recover asks for something else: a new key for the oldest API client that owns the root, or for a new one.
	Recover bool `json:"recover"`
	// Rotate asks for a new key of the keyring, by which sessions and links are sealed. Nothing is answered.
	Rotate bool `json:"rotate"`
}

// founded is what was made, or recovered.
type founded struct {
	PartnerID ident.Node      `json:"partnerId,omitempty"`
	ClientID  ident.Principal `json:"clientId,omitempty"`
	Key       string          `json:"key,omitempty"` // API key of the client
}

type bootstrap struct {
	directory *directory.Directory
	log       *slog.Logger
}

// handle founds the platform, or recovers the access to its root. Its errors have the slug of the problem as errorType: already-founded from the second time
// on, invalid for names that cannot be, busy when repeating may help.
func (b *bootstrap) handle(ctx context.Context, o order) (founded, error) {
	answer, err := b.found(ctx, o)
	if err != nil {
		e := fault.From(err)
		b.log.ErrorContext(ctx, "refused", "problem", e.Type.Slug, "cause", e.Error())
		return founded{}, messages.InvokeResponse_Error{Type: e.Type.Slug, Message: message(e)}
	}
	b.log.InfoContext(ctx, "done", "recovered", o.Recover, "rotated", o.Rotate, "partner", string(answer.PartnerID), "client", string(answer.ClientID))
	return answer, nil
}

// message is the detail of the error, or all that is wrong with the order.
func message(e *fault.Error) string {
	if len(e.Fields) == 0 {
		return e.Detail
	}
	var all []string
	for _, f := range e.Fields {
		all = append(all, f.Pointer+": "+f.Detail)
	}
	return strings.Join(all, "; ")
}

func (b *bootstrap) found(ctx context.Context, o order) (founded, error) {
	if o.Recover {
		owner, key, err := b.directory.Recover(ctx)
		return founded{owner.Home, owner.ID, key}, err
	}
	if o.Rotate {
		return founded{}, b.directory.RotateKeyring(ctx)
	}
	var wrong fault.Fields
	partner, err := hierarchy.ParseName(o.PartnerName)
	if err != nil {
		wrong.Add("/partnerName", "%s", err)
	}
	client, err := hierarchy.ParseName(o.ClientName)
	if err != nil {
		wrong.Add("/clientName", "%s", err)
	}
	if err := wrong.Err(); err != nil {
		return founded{}, err
	}
	root, owner, key, err := b.directory.CreateRoot(ctx, partner, client)
	if err != nil {
		return founded{}, err
	}
	return founded{root.ID, owner.ID, key}, nil
}
