package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// activityPage is how many events a page of the activity has, and maxCSV how many the download has: its pages are read one after another.
const (
	activityPage = 50
	maxCSV       = 5000
)

// activity says what happened at a node and below it, the newest first.
func (v *visit) activity(ctx context.Context, at *place) (content, error) {
	f := v.activityFilter()
	list, err := v.dir.Log(ctx, v.caller(), at.id(), f, directory.Paging{Limit: activityPage, Cursor: v.query("cursor")})
	if err != nil {
		return content{}, err
	}
	names, err := v.namesIn(ctx, list.Items)
	if err != nil {
		return content{}, err
	}
	shown := view.Activity{To: at.path("activity"), Type: v.query("type"), From: v.query("from"), Until: v.query("until"), Actor: v.query("actor"),
		Types: typeOptions, CSV: at.path("activity.csv", "type", v.query("type"), "from", v.query("from"), "until", v.query("until"), "actor", v.query("actor"))}
	actors := map[ident.Principal]bool{f.Actor: true}
	for i := range list.Items {
		e := &list.Items[i]
		actors[e.Actor] = true
		shown.Items = append(shown.Items, view.Happened{Time: v.clock().At(e.Time), Parts: v.sentence(e, &names)})
	}
	for id := range actors {
		if id != "" {
			shown.Actors = append(shown.Actors, view.Option{Value: string(id), Text: v.actorName(id, &names)})
		}
	}
	slices.SortFunc(shown.Actors, func(a, b view.Option) int { return cmp.Or(cmp.Compare(a.Text, b.Text), cmp.Compare(a.Value, b.Value)) })
	if list.Next != "" {
		shown.Next = at.path("activity", "cursor", list.Next, "type", shown.Type, "from", shown.From, "until", shown.Until, "actor", shown.Actor)
	}
	return content{Title: "Activity", Body: shown.Show()}, nil
}

// activityFilter reads which events are wanted. What cannot be read is no filter. Days are those of the reader's zone.
func (v *visit) activityFilter() directory.LogFilter {
	var f directory.LogFilter
	if t := event.Type(v.query("type")); slices.Contains(event.Types, t) {
		f.Type = t
	}
	f.Actor, _ = ident.ParsePrincipal(v.query("actor"))
	zone := v.settings().zone()
	if day, err := time.ParseInLocation(time.DateOnly, v.query("from"), zone); err == nil {
		f.From = day
	}
	if day, err := time.ParseInLocation(time.DateOnly, v.query("until"), zone); err == nil {
		f.Until = day.AddDate(0, 0, 1)
	}
	return f
}

// namesIn reads the names that sentences about events have in them.
func (v *visit) namesIn(ctx context.Context, events []event.Event) (directory.Names, error) {
	var nodes []ident.Node
	var actors []ident.Principal
	for i := range events {
		nodes, actors = append(nodes, events[i].Node), append(actors, events[i].Actor)
		if m, ok := events[i].Data.(event.MovedData); ok {
			nodes = append(nodes, m.From, m.To)
		}
		if m, ok := events[i].Data.(event.MoveAskedData); ok {
			nodes = append(nodes, m.To)
		}
	}
	return v.dir.Names(ctx, v.caller(), nodes, actors)
}

// activityCSV gives the same events as a table for other programs.
func (v *visit) activityCSV(ctx context.Context) (response, error) {
	id, err := named(v, "node", ident.ParseNode)
	if err != nil {
		return response{}, err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff") // by which spreadsheets know UTF-8
	w := csv.NewWriter(&b)
	w.Write([]string{"Time (UTC)", "What happened", "Type", "Who", "Who (id)", "Node", "Node (id)", "Event (id)"})
	filter, cursor, n := v.activityFilter(), "", 0
	for {
		list, err := v.dir.Log(ctx, v.caller(), id, filter, directory.Paging{Limit: directory.MaxLimit, Cursor: cursor})
		if err != nil {
			return response{}, err
		}
		names, err := v.namesIn(ctx, list.Items)
		if err != nil {
			return response{}, err
		}
		for i := range list.Items {
			e := &list.Items[i]
			w.Write(harmless(e.Time.UTC().Format(time.RFC3339), words(v.sentence(e, &names)), string(e.Type), v.actorName(e.Actor, &names), string(e.Actor),
				string(names.Nodes[e.Node]), string(e.Node), string(e.ID)))
		}
		n += len(list.Items)
		if cursor = list.Next; cursor == "" {
			break
		}
		if n >= maxCSV {
			w.Write([]string{"", "There is more: this download ends after " + view.Count(maxCSV, "event") + ". Choose fewer days for the rest."})
			break
		}
	}
	w.Flush()
	r := answer(*v.event, http.StatusOK, "text/csv; charset=utf-8")
	r.Headers["Cache-Control"] = "no-store"
	r.Headers["Content-Disposition"] = `attachment; filename="activity.csv"`
	r.Body = b.String()
	return r, nil
}

// harmless keeps cells from being read as formulas by spreadsheets: https://owasp.org/www-community/attacks/CSV_Injection
func harmless(cells ...string) []string {
	for i, c := range cells {
		if c != "" && strings.ContainsRune("=+-@\t\r\n", rune(c[0])) {
			cells[i] = "'" + c
		}
	}
	return cells
}

// words is a sentence as text.
func words(parts []view.Link) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// actorName is what somebody is called who did something.
func (v *visit) actorName(who ident.Principal, names *directory.Names) string {
	switch name := string(names.Principals[who]); {
	case who == "":
		return "Somebody with rights above"
	case who == v.who.Principal():
		return cmp.Or(name, "You") + " (you)"
	case name != "" && who.IsPerson():
		return name
	case name != "":
		return "The API client " + name
	case who.IsPerson():
		return "A person without a name"
	}
	return "An API client"
}

// sentence tells an event: who did what to which node. A part with an address is a link.
func (v *visit) sentence(e *event.Event, names *directory.Names) []view.Link {
	var parts []view.Link
	add := func(text string) { parts = append(parts, view.Link{Text: text}) }
	node := func(id ident.Node, otherwise string) {
		name := string(names.Nodes[id])
		if name == "" {
			add(otherwise)
			return
		}
		parts = append(parts, view.Link{Text: name, To: nodePath(id)})
	}
	kind := string(hierarchy.KindOf(e.Node))
	it := func() { node(e.Node, "a "+kind+" that is no longer there") }
	add(v.actorName(e.Actor, names) + " ")
	at := func(verb, preposition string) {
		add(verb + " " + preposition + " ")
		it()
		add(".")
	}
	whole := func(verb string) {
		add(verb + " the " + kind + " ")
		it()
		add(".")
	}
	switch d := e.Data.(type) {
	case event.PlatformFoundedData:
		at("began the platform", "with")
	case event.PartnerCreatedData, event.CustomerCreatedData:
		whole("added")
	case event.PartnerEditedData:
		whole("edited" + edited(d.Name))
	case event.CustomerEditedData:
		whole("edited" + edited(d.Name))
	case event.MovedData:
		add("moved the " + kind + " ")
		it()
		add(" from ")
		node(d.From, "a place that you cannot see")
		add(" to ")
		node(d.To, "a place that you cannot see")
		add(".")
	case event.SuspendedData:
		add("suspended the " + kind + " ")
		it()
		add(": " + d.Reason)
	case event.ResumedData:
		whole("resumed")
	case event.ProvisioningChangedData:
		if d.CanProvisionServices {
			at("allowed provisioning", "below")
		} else {
			at("stopped provisioning", "below")
		}
	case event.TrashedData:
		add("put the " + kind + " ")
		it()
		add(" into the trash.")
	case event.RestoredData:
		add("restored the " + kind + " ")
		it()
		add(" from the trash.")
	case event.PurgedData:
		parts = nil // nobody did: its time was over
		add("The " + kind + " " + string(d.Name) + " was erased: it had been in the trash for 30 days.")
	case event.MoveAskedData:
		add("asked to move the " + kind + " ")
		it()
		add(" to ")
		node(d.To, "another partner")
		add(".")
	case event.MoveOfferedData:
		at("asked to move the "+string(d.Kind)+" "+string(d.Name), "to")
	case event.MoveAcceptedData:
		at("accepted the request to move what is there already,", "at")
	case event.MoveDeclinedData:
		at("declined the request to move "+cmp.Or(string(d.Name), "it"), "at")
	case event.MoveWithdrawnData:
		at("withdrew the request to move "+cmp.Or(string(d.Name), "it"), "at")
	case event.InvitationMadeData:
		at("invited "+called(d.Name)+" as "+d.Role.String(), "to")
	case event.InvitationResentData:
		at("sent the invitation of "+called(d.Name)+" again,", "to")
	case event.InvitationRevokedData:
		at("withdrew the invitation of "+called(d.Name), "to")
	case event.InvitationAcceptedData:
		at("accepted the invitation as "+d.Role.String(), "to")
	case event.UserChangedData:
		at("made "+called(d.Name)+" "+d.Role.String(), "at")
	case event.UserRemovedData:
		at("took the role "+d.Role.String()+" from "+called(d.Name), "at")
	case event.UserRenamedData:
		add("is called " + string(d.To) + " now, and was called " + string(d.From) + ".")
	case event.SignedOutEverywhereData:
		add("signed out everywhere.")
	case event.BrandCreatedData:
		at("made the brand "+string(d.Name), "at")
	case event.BrandEditedData:
		at("edited a brand", "of")
	case event.BrandDeletedData:
		at("deleted the brand "+string(d.Name), "of")
	case event.ClientCreatedData:
		at("made the API client "+string(d.Name)+" with the role "+d.Role.String(), "at")
	case event.ClientRevokedData:
		at("revoked the API client "+string(d.Name), "of")
	case event.ClientSecretAddedData:
		at("made another key for the API client "+string(d.Name), "of")
	case event.ClientSecretRemovedData:
		at("removed a key of the API client "+string(d.Name), "of")
	case event.ClientGrantedData:
		at("gave the API client "+string(d.Name)+" the role "+d.Role.String(), "at")
	case event.ClientGrantRemovedData:
		at("took the role "+d.Role.String()+" from the API client "+string(d.Name), "at")
	case event.ClientRenamedData:
		at("renamed the API client "+string(d.Name.From)+" to "+string(d.Name.To), "of")
	default: // of a newer version of the platform
		at("did something that this page has no words for ("+string(e.Type)+")", "at")
	}
	return parts
}

func edited(name *event.Edit[hierarchy.Name]) string {
	if name != nil {
		return ", which was called " + string(name.From) + ","
	}
	return ""
}

func called(name hierarchy.Name) string { return cmp.Or(string(name), "somebody") }

// typeOptions are the types of events for the filter, in words.
var typeOptions = func() (all []view.Option) {
	for _, t := range event.Types {
		what, did, _ := strings.Cut(string(t), ".")
		all = append(all, view.Option{Value: string(t), Text: strings.ToUpper(what[:1]) + strings.ReplaceAll(what[1:], "-", " ") + ": " + strings.ReplaceAll(did, "-", " ")})
	}
	return all
}()
