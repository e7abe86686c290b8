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

// Explanation says why a principal may or may not do something at a node.
type Explanation struct {
	Principal ident.Principal
	Name      hierarchy.Name // "" when the principal has no grant at the node or above it
	Node      ident.Node
	Action    access.Action
	Allowed   bool
	Role      access.Role // at the node; None: the node does not exist for the principal
	Sources   []Source    // the principal's grants on the path to the node, from the top down, whether they count or not
	// Known holds the names of the nodes in Sources that the caller sees.
	Known map[ident.Node]hierarchy.Name
	Text  string // the explanation in words

	// Only for the past. At is the moment for which the explanation is true; zero means the present.
	At         time.Time
	Incomplete bool // a node that was above is purged or out of the caller's sight now: there may have been more Sources
}

// Why explains what a principal may do at a node, by the decision itself and from the same read. The caller needs viewer at the node.
// Why does not tell whether a principal exists who was granted nothing at the node or above. To callers who ask about themselves, it
// explains what they may do within their bound.
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

// WhyAt explains what a principal could do at a node in a window. The caller needs viewer at the node now, and is told only about nodes
// that they see now. The explanation is true for the first moment at which the principal could do the action, or else for the first
// moment at which they had their highest role.
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

// principal returns a principal with the grants that they had on a path.
func (p *past) principal(id ident.Principal, path hierarchy.Path) *access.Principal {
	who := &access.Principal{ID: id, Grants: map[ident.Node]access.Role{}}
	for _, node := range path.IDs() {
		if g, ok := p.stood[node].grants[id]; ok {
			who.Name, who.Grants[node] = g.Name, g.Role
		}
	}
	return who
}

// found copies what access.Why found into the explanation.
func (e *Explanation) found(who *access.Principal, dec *access.Decision, sources []access.Source, seen func(access.Source) Source) {
	e.Action, e.Allowed, e.Role = dec.Action, dec.Allowed(), dec.Role
	e.Sources = make([]Source, len(sources))
	for i, s := range sources {
		e.Name = who.Name
		e.Sources[i] = seen(s)
	}
}

// name fills in Known. The caller has read node already.
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

// doing has each action in words. %s stands for the kind of the node.
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

// Doing returns an action at a kind of node in words.
func Doing(a access.Action, kind hierarchy.Kind) string { return fmt.Sprintf(doing[a], kind) }

// wordsOfPast returns what words returns, with the time, and with what is not known of the past.
func (e *Explanation) wordsOfPast(d *access.Decision, node *hierarchy.Node, w Window) string {
	if text := w.before(node); text != "" {
		return text
	}
	when := w.words() // at any moment of it
	if e.Allowed {
		when = Window{e.At, e.At}.words()
	}
	if e.Incomplete {
		return fmt.Sprintf("%s, as far as is known, %s This %s was then below a node that has been purged, or that you cannot see "+
			"now. Roles that were granted further up may be missing here, and so may a suspension there.",
			when, e.words(d, ""), node.Kind())
	}
	return when + ", " + e.words(d, "")
}

// tense has the words that differ between the present and the past.
type tense struct{ may, has, is, do, does, counts, above string }

var (
	present  = tense{"may", "has", "is", "do", "does", "counts", "above"}
	preterit = tense{"could", "had", "was", "did", "did", "counted", "then above"}
)

func (e *Explanation) tense() tense {
	if e.At.IsZero() {
		return present
	}
	return preterit
}

// words returns the explanation as text: the decision, its reason, and why some grants do not count. within is the bound of the
// principal. The text has no pronoun for the principal, who may be a person or an API client.
func (e *Explanation) words(d *access.Decision, within ident.Node) string {
	t := e.tense()
	who := string(e.Name)
	if who == "" {
		who = string(e.Principal)
	}
	kind := hierarchy.KindOf(e.Node)
	may := Doing(e.Action, kind)
	var reason Source // the nearest of the grants that give the deciding role
	var idle []string // grants that do not count: for all of them, for the same reason
	why := ""
	for _, s := range e.Sources {
		switch {
		case !s.Counts():
			idle = append(idle, fmt.Sprintf("%s (granted %s)", s.Role, e.where(s)))
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
		text = fmt.Sprintf("%s %s no access to this %s, and no role here or above.", who, t.has, kind)
	case e.Role == access.None:
		text = fmt.Sprintf("%s %s no access to this %s.", who, t.has, kind)
	case e.Action != access.ManageSubtree:
		text = fmt.Sprintf("%s %s not %s: the role here %s %s, and this takes %s.", who, t.may, may, t.is, e.Role, needs)
	case d.Place.Path.Depth() == 1:
		text = fmt.Sprintf("%s %s not %s: nobody %s, because this is the root.", who, t.may, may, t.may)
	case e.Node == within:
		text = fmt.Sprintf("%s %s not %s while signed in at this portal: a role above this %s is needed, and this portal does not reach "+
			"that far up.", who, t.may, may, kind)
	case d.Above == access.None:
		text = fmt.Sprintf("%s %s not %s: this takes %s above this %s, and no role %s there.", who, t.may, may, needs, kind, t.counts)
	default:
		text = fmt.Sprintf("%s %s not %s: this takes %s above this %s, and the role there %s %s.", who, t.may, may, needs, kind, t.is, d.Above)
	}
	switch len(idle) {
	case 0:
		return text
	case 1:
		return text + fmt.Sprintf(" The role %s %s not count, because %s.", idle[0], t.does, why)
	default:
		return text + fmt.Sprintf(" The roles %s %s not count, because %s.", strings.Join(idle, " and "), t.do, why)
	}
}

// where returns where a grant was made.
func (e *Explanation) where(s Source) string {
	switch s.Node {
	case "":
		return "further up than you can see"
	case e.Node:
		return "here"
	}
	return "at " + e.called(s.Node)
}

// whatIs returns what keeps a grant from counting.
func (e *Explanation) whatIs(s Source) string {
	node, state := "this "+string(hierarchy.KindOf(e.Node)), "suspended"
	switch s.Blocked {
	case e.Node:
	case "":
		node = "a node further up than you can see"
	default:
		node = e.called(s.Blocked)
	}
	if s.By == hierarchy.Trashed {
		state = "in the trash"
	}
	return node + " " + e.tense().is + " " + state
}

// called returns the name of a node, or its id when the name is not known.
func (e *Explanation) called(id ident.Node) string {
	if name := e.Known[id]; name != "" {
		return string(name)
	}
	return string(id) // the node is being purged
}
