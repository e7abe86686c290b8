package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Explanation is why somebody may do something at a node, or why not.
type Explanation struct {
	Principal ident.Principal
	Name      hierarchy.Name // "" when they have no grant at the node or above it
	Node      ident.Node
	Action    access.Action
	Allowed   bool
	Role      access.Role // at the node; None: to them it does not exist
	Sources   []Source    // their grants on the way to the node, from the top down, whether they count or not
	// Known are the names of the nodes in Sources that the caller sees.
	Known map[ident.Node]hierarchy.Name
	Text  string // all of this in words

	// Of the past only. At is the moment of which all of this is true; zero: the present.
	At         time.Time
	Incomplete bool // something that was above the node is purged or out of the caller's sight now: there may have been more Sources
}

// Why explains what somebody may do at a node, by the decision itself and from the same read. It needs viewer at the node. Of
// somebody who was granted nothing there or above, it does not tell whether they exist. Of the caller themselves it explains what they
// may do within their bound.
func (d *Directory) Why(ctx context.Context, c Caller, client ident.Principal, id ident.Node, a access.Action) (Explanation, error) {
	v, node, dec, err := d.Reach(ctx, c, id, access.Read, client)
	if err != nil {
		return Explanation{}, err
	}
	who := access.Principals.In(v.Records, client)
	switch {
	case client == c.Principal:
		who = v.Caller
	case who == nil:
		who = &access.Principal{}
	}
	theirs, sources := access.Why(who, &v.Tree, node, a)
	e := Explanation{Principal: client, Node: id}
	e.found(who, &theirs, sources, func(s access.Source) Source { return sourceSeen(s, dec.Place.Path, dec.First) })
	if err := d.name(ctx, c, node, &e); err != nil {
		return Explanation{}, err
	}
	e.Text = e.words(&theirs, who.Within)
	return e, nil
}

// WhyAt explains what somebody could do at a node in a window, as far as the caller, who needs viewer there now, sees now what it is
// about. It is true of the first moment at which they could, or else of the first at which they had their highest role.
func (d *Directory) WhyAt(ctx context.Context, c Caller, client ident.Principal, id ident.Node, a access.Action, w Window) (
	Explanation, error) {
	if err := d.certain(w); err != nil {
		return Explanation{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, pastFor)
	defer cancel()
	v, node, dec, err := d.Reach(ctx, c, id, access.Read, client)
	if err != nil {
		return Explanation{}, err
	}
	past, err := d.past(ctx, c, node, dec, w)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Principal: client, Node: id, Action: a, At: w.Until}
	var theirs access.Decision
	for i, moment := range past.moments() {
		then, all := past.at(moment)
		who := &access.Principal{}
		if lived(access.Principals.In(v.Records, client), moment) {
			who = past.principal(client, then.Place.Path)
		}
		found, sources := access.Why(who, &hierarchy.TreeState{}, then, a)
		e.Incomplete = e.Incomplete || !all
		if i == 0 || found.Allowed() || found.Role > e.Role || found.Role == e.Role && len(sources) > len(e.Sources) {
			theirs, e.At = found, moment
			e.found(who, &theirs, sources, past.seen)
		}
		if e.Allowed {
			break
		}
	}
	if err := d.name(ctx, c, node, &e); err != nil {
		return Explanation{}, err
	}
	e.Text = e.wordsOfPast(&theirs, node, w)
	return e, nil
}

// principal is somebody with the grants that they had on a path.
func (p *past) principal(id ident.Principal, path hierarchy.Path) *access.Principal {
	who := &access.Principal{ID: id, Grants: map[ident.Node]access.Role{}}
	for _, node := range path.IDs() {
		if g, ok := p.stood[node].grants[id]; ok {
			who.Name, who.Grants[node] = g.Name, g.Role
		}
	}
	return who
}

// found takes over what access.Why found.
func (e *Explanation) found(who *access.Principal, dec *access.Decision, sources []access.Source, seen func(access.Source) Source) {
	e.Action, e.Allowed, e.Role = dec.Action, dec.Allowed(), dec.Role
	e.Sources = make([]Source, len(sources))
	for i, s := range sources {
		e.Name = who.Name
		e.Sources[i] = seen(s)
	}
}

// name fills in Known. Of the nodes that are named, node is read already.
func (d *Directory) name(ctx context.Context, c Caller, node *hierarchy.Node, e *Explanation) error {
	known := map[ident.Node]*hierarchy.Node{node.ID: node}
	var named []ident.Node
	for _, s := range e.Sources {
		for _, id := range []ident.Node{s.Node, s.Blocked} {
			if id != "" {
				named = append(named, id)
			}
		}
	}
	if err := d.know(ctx, c, known, named); err != nil {
		return err
	}
	e.Known = map[ident.Node]hierarchy.Name{}
	for _, id := range named {
		if n := known[id]; n != nil {
			e.Known[id] = n.Name
		}
	}
	return nil
}

// doing has each action in words. %s is what kind of node it is done to.
var doing = map[access.Action]string{
	access.Read:           "read this %s",
	access.CreateCustomer: "create customers at this %s",
	access.EditCustomer:   "edit this %s",
	access.CreatePartner:  "create partners at this %s",
	access.EditPartner:    "edit this %s",
	access.ManageSubtree:  "move, suspend, resume, trash or restore this %s",
	access.ManageBrands:   "manage brands of this %s",
	access.ManageClients:  "manage API clients at this %s",
	access.Invite:         "invite people to this %s and change what they may do",
}

// wordsOfPast is words about the past: when it was, and what is not known of it.
func (e *Explanation) wordsOfPast(d *access.Decision, node *hierarchy.Node, w Window) string {
	if text := w.before(node); text != "" {
		return text
	}
	when := w.words() // at any moment of it
	if e.Allowed {
		when = Window{e.At, e.At}.words()
	}
	if e.Incomplete {
		return fmt.Sprintf("%s, as far as is known, %s This %s was then below something that has been purged or that you cannot see "+
			"now: some grants made further up may be missing here, and whether something there was suspended.",
			when, e.words(d, ""), node.Kind())
	}
	return when + ", " + e.words(d, "")
}

// tense has the words that depend on when it is or was.
type tense struct{ may, has, is, do, does, above string }

var (
	present  = tense{"may", "has", "is", "do", "does", "above"}
	preterit = tense{"could", "had", "was", "did", "did", "then above"}
)

func (e *Explanation) tense() tense {
	if e.At.IsZero() {
		return present
	}
	return preterit
}

// words says all of it: what is so and why, and what is with the grants that do not count. within bounds who it is about, of whom it
// speaks without pronouns: it may be a person or an API client.
func (e *Explanation) words(d *access.Decision, within ident.Node) string {
	t := e.tense()
	who := string(e.Name)
	if who == "" {
		who = string(e.Principal)
	}
	kind := hierarchy.KindOf(e.Node)
	may := fmt.Sprintf(doing[e.Action], kind)
	var reason Source // the nearest of the grants that give the deciding role
	var idle []string // grants that do not count: for all of them, for the same reason
	why := ""
	for _, s := range e.Sources {
		switch {
		case !s.Counts():
			idle = append(idle, fmt.Sprintf("as %s %s", s.Role, e.where(s)))
			why = e.whatIs(s)
		case (e.Action != access.ManageSubtree || s.Inherited) && s.Role >= reason.Role:
			reason = s
		}
	}
	var text string
	switch needs := e.Action.Needs(); {
	case e.Allowed:
		text = fmt.Sprintf("%s %s %s: %s was granted %s", who, t.may, may, reason.Role, e.where(reason))
		if reason.Inherited && reason.Node != "" {
			text += fmt.Sprintf(", %s this %s", t.above, kind)
		}
		text += "."
	case len(e.Sources) == 0:
		text = fmt.Sprintf("%s %s no access to this %s, and no grant here or above.", who, t.has, kind)
	case e.Role == access.None:
		text = fmt.Sprintf("%s %s no access to this %s.", who, t.has, kind)
	case e.Action != access.ManageSubtree:
		text = fmt.Sprintf("%s %s not %s: the role here %s %s, and this takes %s.", who, t.may, may, t.is, e.Role, needs)
	case d.Place.Path.Depth() == 1:
		text = fmt.Sprintf("%s %s not %s: nobody %s, because this is the root.", who, t.may, may, t.may)
	case e.Node == within:
		text = fmt.Sprintf("%s %s not %s signed in at this portal: this is decided above this %s, and this portal reaches nothing there.", who, t.may, may, kind)
	case d.Above == access.None:
		text = fmt.Sprintf("%s %s not %s: this takes %s above this %s, where there %s no grant.", who, t.may, may, needs, kind, t.is)
	default:
		text = fmt.Sprintf("%s %s not %s: this takes %s above this %s, and the role there %s %s.", who, t.may, may, needs, kind, t.is, d.Above)
	}
	switch len(idle) {
	case 0:
		return text
	case 1:
		return text + fmt.Sprintf(" The grant %s %s not count, because %s.", idle[0], t.does, why)
	default:
		return text + fmt.Sprintf(" The grants %s %s not count, because %s.", strings.Join(idle, " and "), t.do, why)
	}
}

// where tells where a grant was made.
func (e *Explanation) where(s Source) string {
	switch s.Node {
	case "":
		return "further up than you can see"
	case e.Node:
		return "here"
	}
	return "at " + e.called(s.Node)
}

// whatIs tells what keeps a grant from counting.
func (e *Explanation) whatIs(s Source) string {
	node, state := "this "+string(hierarchy.KindOf(e.Node)), "suspended"
	switch s.Blocked {
	case e.Node:
	case "":
		node = "something further up than you can see"
	default:
		node = e.called(s.Blocked)
	}
	if s.By == hierarchy.Trashed {
		state = "in the trash"
	}
	return node + " " + e.tense().is + " " + state
}

func (e *Explanation) called(id ident.Node) string {
	if name := e.Known[id]; name != "" {
		return string(name)
	}
	return string(id) // it is being purged
}
