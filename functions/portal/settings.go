package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Lambda's machines have no zones

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/ident"
)

// settingsCookie has what the visitor chose for this browser. It is not secret and decides nothing but how pages look, so it is not sealed.
const settingsCookie = "__Host-settings"

// settingsFor is how long a browser keeps them.
const settingsFor = 365 * 24 * time.Hour

// maxRecent is how many places are remembered, the last one first.
const maxRecent = 8

// settings are what the visitor chose, and where they were.
type settings struct {
	Scheme string // "", "light" or "dark"
	Zone   string // the IANA name of the time zone, "" for UTC
	Recent []ident.Node
	Pinned []ident.Node
}

func (v *visit) settings() settings {
	q, err := url.ParseQuery(v.cookies[settingsCookie])
	if err != nil {
		return settings{}
	}
	s := settings{Scheme: q.Get("look"), Zone: q.Get("zone"), Recent: nodes(q.Get("recent")), Pinned: nodes(q.Get("pinned"))}
	if s.Scheme != "light" && s.Scheme != "dark" {
		s.Scheme = ""
	}
	return s
}

func nodes(list string) (found []ident.Node) {
	for text := range strings.SplitSeq(list, ".") {
		if id, err := ident.ParseNode(text); err == nil && len(found) < maxRecent {
			found = append(found, id)
		}
	}
	return found
}

func (s settings) zone() *time.Location {
	if zone, err := time.LoadLocation(s.Zone); err == nil && s.Zone != "Local" {
		return zone
	}
	return time.UTC
}

func (v *visit) keep(s settings) {
	q := url.Values{}
	join := func(ids []ident.Node) string {
		var all []string
		for _, id := range ids {
			all = append(all, string(id))
		}
		return strings.Join(all, ".")
	}
	for name, value := range map[string]string{"look": s.Scheme, "zone": s.Zone, "recent": join(s.Recent), "pinned": join(s.Pinned)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	v.cookie(http.Cookie{Name: settingsCookie, Value: q.Encode(), MaxAge: int(settingsFor / time.Second)})
}

// remember notes where the visitor is.
func (v *visit) remember(id ident.Node) {
	s := v.settings()
	if len(s.Recent) > 0 && s.Recent[0] == id {
		return
	}
	s.Recent = append([]ident.Node{id}, slices.DeleteFunc(s.Recent, func(n ident.Node) bool { return n == id })...)
	s.Recent = s.Recent[:min(len(s.Recent), maxRecent)]
	v.keep(s)
}

// zones are those that the settings offer; others can be typed into the address of no page, so these are enough of each offset and its rules.
var zones = []string{"UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage", "America/Argentina/Buenos_Aires",
	"America/Bogota", "America/Chicago", "America/Denver", "America/Halifax", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Phoenix",
	"America/Santiago", "America/Sao_Paulo", "America/St_Johns", "America/Toronto", "Asia/Bangkok", "Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Jakarta",
	"Asia/Jerusalem", "Asia/Karachi", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Manila", "Asia/Riyadh", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore",
	"Asia/Taipei", "Asia/Tashkent", "Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Atlantic/Reykjavik", "Australia/Adelaide", "Australia/Brisbane",
	"Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Copenhagen",
	"Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Madrid", "Europe/Moscow", "Europe/Oslo",
	"Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland", "Pacific/Honolulu"}

// settingsForm asks for the settings.
func (v *visit) settingsForm() *view.Form {
	s := v.settings()
	f := &view.Form{To: account, Submit: "Save", Fields: []view.Field{
		{Name: "look", Label: "Colors", Type: view.Radios, Value: []string{s.Scheme}, Options: []view.Option{
			{Value: "", Text: "As on this device"}, {Value: "light", Text: "Light"}, {Value: "dark", Text: "Dark"}}},
		{Name: "zone", Label: "Time zone", Hint: "Times are shown in this zone.", Type: view.Select, Value: []string{s.zone().String()}},
	}}
	for _, z := range zones {
		f.Fields[1].Options = append(f.Fields[1].Options, view.Option{Value: z, Text: strings.ReplaceAll(z, "_", " ")})
	}
	v.sign(f)
	return f
}

// setSettings takes the visitor's settings.
func (v *visit) setSettings(context.Context) (response, error) {
	if v.who == nil {
		return v.ended(), nil
	}
	typed := v.form()
	if !v.ours(typed) {
		return v.strange(), nil
	}
	s := v.settings()
	s.Scheme, s.Zone = typed.Get("look"), typed.Get("zone")
	if !slices.Contains(zones, s.Zone) {
		s.Zone = ""
	}
	v.keep(s)
	v.tell("Your settings are saved in this browser.")
	v.outcome = "settings saved"
	return v.redirect(account), nil
}

// home leads to where the visitor was last, if they may see it still, or to where they begin.
func (v *visit) home(ctx context.Context) (response, error) {
	v.outcome = "to a place"
	if recent := v.settings().Recent; len(recent) > 0 { // the last one alone: further guesses cost more than a choice
		if _, err := v.dir.Standing(ctx, v.caller(), recent[0]); err == nil {
			return v.redirect(nodePath(recent[0])), nil
		}
	}
	me, err := v.dir.Me(ctx, v.caller())
	if err != nil {
		return response{}, err
	}
	if len(me.Grants) == 1 {
		return v.redirect(nodePath(me.Grants[0].Node.ID)), nil
	}
	return v.redirect(account), nil
}
