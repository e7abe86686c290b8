package directory

import (
	"context"
	"maps"
	"slices"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Offer is what the holder of a link learns.
type Offer struct {
	Node    ident.Node
	Kind    hierarchy.Kind
	Partner hierarchy.Name // of the node
	Brand   *brand.Brand   // under which its portal appears; of a customer: its own; nil when there is none that is vouched for
	Email   string
	Name    hierarchy.Name
	Role    access.Role
	Message string
	Expires time.Time
	Guest   Guest          // who can accept whatever Microsoft says of their address
	By      hierarchy.Name // who invites; "" when they have no name
	// ByClient says that it is an API client that invites.
	ByClient bool
	// Accepted says that who asks has accepted the invitation before. Nothing else is told then.
	Accepted bool
}

// offer is what an invitation to a node offers; by is who invites.
func (d *Directory) offer(ctx context.Context, i *Invitation, node *hierarchy.Node, by *access.Principal) (Offer, error) {
	o := Offer{Node: i.Node, Kind: node.Kind(), Partner: node.Name, Email: i.Email, Name: i.Name, Role: i.Role, Message: i.Message,
		Expires: i.Expires, Guest: i.Guest, ByClient: !i.By.IsPerson()}
	if by.Name != unnamed {
		o.By = by.Name
	}
	id := node.Brands.Portal
	if o.Kind == hierarchy.Customer {
		id = node.Details.Brand
	}
	if id == "" { // the root may have no portal of its own
		return o, nil
	}
	got, err := d.store.Read(ctx, Want{Records: brand.Brands.Refs(id)})
	if b := brand.Brands.In(got.Records, id); b != nil && b.Vouched() {
		o.Brand = b
	}
	return o, err
}

// linked reads what the link with a token is about: the invitation first, and then, in one batch, all that is decided on. What is no
// link, what is not the present one, and one to what does not lie within a bound are not told apart.
func linked(t credential.Token, within ident.Node, read func(w Want) (Got, error)) (Got, *Invitation, error) {
	w := Want{Records: Invitations.Refs(t.ID)}
	for {
		got, err := read(w)
		if err != nil {
			return Got{}, nil, err
		}
		i := Invitations.In(got.Records, t.ID)
		if i == nil || !t.Fits(i.Hash) || len(w.Nodes) > 0 && !i.inScope(&got, within) {
			return Got{}, nil, fault.NotFound.New("This invitation does not exist. Open the complete link from the newest mail; " +
				"if that does not help, ask the person who invited you for a new invitation.")
		}
		if len(w.Nodes) > 0 {
			return got, i, nil
		}
		w.Nodes, w.Records = []ident.Node{i.Node}, append(append(w.Records, access.Principals.Ref(i.By)), theKeyring...)
	}
}

// inScope reports whether the node of the invitation, which was read, is within a bound.
func (i *Invitation) inScope(got *Got, within ident.Node) bool {
	node := got.Nodes[i.Node]
	return within == "" || node != nil && got.Tree.Place(node).Path.Index(within) >= 0
}

// stands finds what a pending invitation lives on: the key of its link, its node, which has to be live, and where whoever invited has the
// right to. What is missing is the problem.
func (i *Invitation) stands(got *Got) (node *hierarchy.Node, right ident.Node, problem InvitationProblem) {
	node = got.Nodes[i.Node]
	if !keyringIn(got).Has(i.Key) { // whoever had that key could make the link
		return node, "", LinkWithdrawn
	}
	if node == nil {
		return nil, "", NodeTrashed
	}
	place := got.Tree.Place(node)
	switch {
	case place.Marked(hierarchy.Purged) || place.Marked(hierarchy.Trashed):
		return node, "", NodeTrashed
	case place.Marked(hierarchy.Suspended):
		return node, "", NodeSuspended
	}
	if by := access.Principals.In(got.Records, i.By); by != nil && by.Revoked.IsZero() {
		right = nearest(bound(by, i.Within), i.Node, place, access.Invite, func(dec *access.Decision) bool { return dec.Role >= i.needs() })
	}
	if right == "" {
		return node, "", SenderMayNot
	}
	return node, right, ""
}

// validate is stands for somebody who has no access yet. Its errors are for them: what is suspended (fault.Suspended) can be accepted later,
// all else cannot.
func (i *Invitation) validate(got *Got) (node *hierarchy.Node, right ident.Node, err error) {
	closed := func(why string) (*hierarchy.Node, ident.Node, error) {
		return nil, "", fault.InvitationClosed.New("%s Ask the person who invited you for a new invitation.", why)
	}
	node, right, problem := i.stands(got)
	switch problem {
	case LinkWithdrawn:
		return closed("This link was withdrawn.")
	case NodeTrashed:
		return closed("The partner or customer that you were invited to no longer exists.")
	case NodeSuspended:
		return nil, "", fault.Suspended.New("%s is suspended. Open the link again after %[1]s is resumed.", node.Name)
	case SenderMayNot:
		return closed("Whoever invited you may not do so any more.")
	}
	return node, right, nil
}

// Offered is what the link with this token offers, or why it cannot be used (fault.InvitationClosed, or fault.Suspended for now) or is none
// (fault.NotFound). It checks no caller: who has the link has the token. Only what lies within a bound is offered ("": anything). who is
// the person who asks, "" for nobody who has signed in: what they have accepted themselves is not closed to them.
func (d *Directory) Offered(ctx context.Context, t credential.Token, within ident.Node, who ident.Principal) (Offer, error) {
	got, i, err := linked(t, within, func(w Want) (Got, error) { return d.store.Read(ctx, w) })
	if err != nil {
		return Offer{}, err
	}
	if i.State == InvitationAccepted && i.Person == who {
		return Offer{Accepted: true}, nil
	}
	if err := i.open(d.now()); err != nil {
		return Offer{}, err
	}
	node, _, err := i.validate(&got)
	if err != nil {
		return Offer{}, err
	}
	return d.offer(ctx, i, node, access.Principals.In(got.Records, i.By))
}

// AcceptInvitation gives somebody who has signed in what they were invited to. Everything is checked now: the token, that their verified
// address is the invited one, or that they are the guest that was made for it (fault.NotInvited), that somebody else has sent it
// (fault.OwnAccess), the inviter's right, the node's state, and that nothing was taken from them there since it was sent. Outside of
// their bound there is no invitation: whoever runs the app that signed them in could have made up the address. Who has that role or a
// higher one keeps it. A repetition by the same person succeeds for as long as they have access.
func (d *Directory) AcceptInvitation(ctx context.Context, who credential.SignedIn, t credential.Token, request string) (Node, error) {
	c := Caller{Principal: who.Principal(), Session: who.Began, Within: who.Within, RequestID: request}
	return Retry(func() (Node, error) {
		var v *View
		_, i, err := linked(t, who.Within, func(w Want) (got Got, err error) {
			if v, err = d.Read(ctx, c, w); err != nil {
				return Got{}, err
			}
			return v.Got, nil
		})
		if err != nil {
			return Node{}, err
		}
		if i.State == InvitationAccepted && i.Person == c.Principal { // what was read beside it may be from before
			_, node, dec, err := d.Reach(ctx, c, i.Node, access.Read)
			if err == nil {
				return seenBy(node, dec), nil
			}
			if !fault.NotFound.Is(err) {
				return Node{}, err
			}
		}
		now := d.now()
		if err := i.open(now); err != nil {
			return Node{}, err
		}
		if err := invited(&who, i); err != nil {
			return Node{}, err
		}
		if i.By == c.Principal {
			return Node{}, fault.OwnAccess.New("You cannot change your own access. Ask someone else who manages users there to send you the invitation.")
		}
		node, right, err := i.validate(&v.Got)
		if err != nil {
			return Node{}, err
		}
		person, granting, err := v.grant(&who, i, now)
		if err != nil {
			return Node{}, err
		}
		accepted := *i
		accepted.State, accepted.Closed, accepted.Person, accepted.Version = InvitationAccepted, now, c.Principal, i.Version+1
		dec := access.Decide(bound(person, c.Within), &v.Tree, node, access.Read)
		data := event.InvitationAcceptedData{Invitation: accepted.about(), PrincipalID: c.Principal, Version: event.Version{Version: person.Version}}
		data.Role, data.Name = person.Grants[i.Node], person.Name
		steps := append(granting, Put{Was: i, Now: &accepted, Else: ErrChanged},
			d.Event(c, i.Node, dec.Place.Path, data),
			CheckGrant{Principal: i.By, Node: right, Role: i.needs(), Else: ErrChanged})
		return seenBy(node, dec), unlessExists(d.Commit(ctx, &v.Tree, steps...))
	})
}

// invited refuses everybody but the person that the invitation was sent to. Its texts tell no address.
func invited(who *credential.SignedIn, i *Invitation) error {
	switch {
	case i.Guest.Is(who): // whether Microsoft vouches for a guest's address in its token, too, it does not promise
		return nil
	case !who.Verified:
		return fault.NotInvited.New("Microsoft has not verified the address of this account, so we cannot tell whether the invitation " +
			"is yours. Sign in with your organization's account, or ask to be invited at your organization's address.")
	case !SameAddress(who.Email, i.Email):
		return fault.NotInvited.New("The invitation was sent to a different address than the one of this account. " +
			"Sign in with the account that was invited, or ask to be invited at the address of this account.")
	}
	return nil
}

// maxRenamed is how many lists and terms have the name of somebody at most who is renamed together with an acceptance. With the logs above the
// deepest node, more would not fit a transaction.
const maxRenamed = access.MaxGrants + 1

// termsChanged is how many terms there are by which only one of the two is found.
func termsChanged(was, now *access.Principal) (n int) {
	before, after := was.Terms(), now.Terms()
	for _, t := range slices.Concat(before, after) {
		if slices.Contains(before, t) != slices.Contains(after, t) {
			n++
		}
	}
	return n
}

// grant is the person as they are with the role that they were invited to, by the name that Microsoft has now, and the step that makes them so:
// none when they have that name, and that role or a higher one.
func (v *View) grant(who *credential.SignedIn, i *Invitation, now time.Time) (*access.Principal, []Step, error) {
	was := access.Principals.In(v.Records, who.Principal())
	if was == nil {
		p := newPrincipal(who.Principal(), now)
		p, _ = named(&p, who)
		p.Grants[i.Node] = i.Role
		return &p, []Step{Put{Now: &p, Else: ErrExists}}, nil
	}
	if !i.Sent.After(lastCut(was, i.Node)) {
		return nil, nil, fault.InvitationClosed.New("The invitation was sent before your role there was changed. " +
			"Ask the person who invited you for a new invitation.")
	}
	p, other := named(was, who)
	if len(was.Grants)+termsChanged(was, &p) > maxRenamed { // they are renamed when they next sign in
		p, other = *was, false
	}
	if was.Grants[i.Node] >= i.Role && !other {
		return was, nil, nil
	}
	if was.Grants[i.Node] < i.Role {
		if was.Grants[i.Node] == access.None && len(was.Grants) >= access.MaxGrants {
			return nil, nil, fault.TooManyGrants.New("You already hold the maximum of %d roles. Ask to be invited further up instead.", access.MaxGrants)
		}
		p.Grants = maps.Clone(was.Grants)
		if p.Grants == nil {
			p.Grants = map[ident.Node]access.Role{}
		}
		p.Grants[i.Node] = i.Role
		p.Cut = recentCuts(was, now)
	}
	p.Version++
	return &p, []Step{Put{Was: was, Now: &p, Else: ErrChanged}}, nil
}
