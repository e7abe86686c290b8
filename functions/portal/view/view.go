// Package view makes the HTML of the portal's pages. It gets all that a page shows, reads nothing, and knows no rule of the tree.
//
// Each *.templ file has components, which `make generate` compiles. A component escapes every text by where the text stands. Addresses are made
// by the portal from ids, and never from what people have typed.
package view

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"example.com/partnertree/shared/brand"
)

// Look is how pages appear: as the platform's, or a brand's.
type Look struct {
	Name   string
	Color  string // of the bar and main buttons; "": the platform's
	Logo   string // its path; "": none
	Scheme string // "light" or "dark" when the reader chose, "" as the reader's system has it
	Style  string // the path of the style sheet
	Script string // the path of the module
}

// What links and secondary buttons stand on, as in the style sheet.
const (
	lightPanel = "#ffffff"
	darkPanel  = "#1b212c"
)

// Colors returns the part of the style that is the brand's own, "" without a color. What stands on the brand's color is black or white. Links
// and other buttons have the color where it can be read, and the color of text where it cannot.
func (l Look) Colors() string {
	if l.Color == "" {
		return ""
	}
	accent := func(panel string) string {
		if brand.Readable(l.Color, panel) {
			return l.Color
		}
		return "var(--text)"
	}
	return fmt.Sprintf(":root{--bar:%s;--on-bar:%[2]s;--main:%[1]s;--on-main:%[2]s;--accent:light-dark(%[3]s,%[4]s)}",
		l.Color, brand.On(l.Color), accent(lightPanel), accent(darkPanel))
}

// ColorsHash returns the hash by which a Content-Security-Policy lets Colors be, "" when there are none.
func (l Look) ColorsHash() string {
	if l.Color == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(l.Colors()))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Page is a whole page.
type Page struct {
	Title   string
	Look    Look
	Failed  bool   // whether it tells of an error, which its title says first
	Notice  string // what was just done, "" for nothing
	Place   *Place // where in the tree the page is; nil: nowhere
	Person  *Person
	Wide    bool // whether its content takes all the width there is
	Content templ.Component
}

func (p *Page) title() string {
	title := p.Title + " – " + p.Look.Name
	if p.Failed {
		return "Error: " + title
	}
	return title
}

// Person is who is signed in.
type Person struct {
	Name, Email string
	Token       string // of forms of the session
}

// Place is where in the tree a page is.
type Place struct {
	Path []Link // the Partner Path: the last step is the node itself
	Menu []MenuItem
	Pick string // the address of the page that picks another place
}

// Link is a link.
type Link struct{ Text, To string }

// MenuItem is a section of a place.
type MenuItem struct {
	Link
	Current bool
}

// Button is a link that looks like a button, or without an address the reason why there is none.
type Button struct {
	Text, To string
	Main     bool
	Danger   bool
	Why      string // why the reader cannot do it, when To is ""
}

// Message is a page of a few sentences.
type Message struct {
	Text      []string
	Buttons   []Button
	Reference string // by which the log's line is found, "" when it does not matter
}

// State is a state in words, with the class that colors it.
type State struct{ Text, Class string }

// Fact is a line of a list of facts.
type Fact struct {
	Name string
	Is   templ.Component
}

// Form is a form with its fields.
type Form struct {
	To      string
	Token   string // of the session
	Key     string // of this form, so that it is carried out once
	Version int64  // of what it edits, 0 for none
	Fields  []Field
	Submit  string
	Preview string // the words of a button that shows the form again with what was typed, "" for none
	Danger  bool
	Cancel  string          // the address of where one came from
	Intro   templ.Component // above the fields; nil: nothing
	Outro   templ.Component // below the fields; nil: nothing
	Wrong   []Wrong
	Files   bool // whether a field is a file
}

// Wrong is something that is wrong with what was sent: with a field, or "" with the whole.
type Wrong struct{ Field, Text string }

func (f *Form) wrong(name string) string {
	for _, w := range f.Wrong {
		if w.Field == name {
			return w.Text
		}
	}
	return ""
}

// FieldType is how a field is shown.
type FieldType int

// The types of fields.
const (
	Line   FieldType = iota // one line of text
	Email                   // an address
	Area                    // several lines
	Select                  // one of many
	Radios                  // one of few
	Checks                  // some
	Check                   // yes or no
	Color                   // a color
	Time                    // a date
	Hidden
	File
)

// Field is a field of a form. Its name is that of the member in the API's body.
type Field struct {
	Name, Label, Hint string
	Type              FieldType
	Value             []string
	Options           []Option
	Optional          bool
	Most              int // characters, 0: no limit
}

// Option is one choice of a field.
type Option struct{ Value, Text, Hint string }

// One returns the value of a field that has one.
func (f *Field) One() string {
	if len(f.Value) == 0 {
		return ""
	}
	return f.Value[0]
}

func (f *Field) has(value string) bool {
	for _, v := range f.Value {
		if v == value {
			return true
		}
	}
	return false
}

// id is the field's id in the page.
func (f *Field) id() string { return "f-" + strings.ReplaceAll(f.Name, "/", "-") }

// said connects a field with its hint, and with what is wrong with it.
func (f *Field) said(wrong string) templ.Attributes {
	said, ids := templ.Attributes{}, []string{}
	if f.Hint != "" {
		ids = append(ids, f.id()+"-hint")
	}
	if wrong != "" {
		ids = append(ids, f.id()+"-wrong")
		if f.Type != Radios && f.Type != Checks {
			said["aria-invalid"] = "true"
		}
	}
	if len(ids) > 0 {
		said["aria-describedby"] = strings.Join(ids, " ")
	}
	return said
}

// Conflict is what two people have made of the same thing.
type Conflict struct {
	What string // is edited
	By   string // who changed it meanwhile, "" when that is not known
	When time.Time
	Rows []ConflictRow
	Form Form   // sends what was typed again, for the present version
	Keep string // the address of the thing as it is
}

// ConflictRow is a field that has another value now than what was typed.
type ConflictRow struct{ Label, Now, Yours string }

// Clock tells times to a reader.
type Clock struct{ Zone *time.Location }

// Words returns a time in words, in the reader's zone.
func (c Clock) Words(t time.Time) string { return t.In(c.zone()).Format("2 January 2006, 15:04 MST") }

// Day returns a day in words, in the reader's zone.
func (c Clock) Day(t time.Time) string { return t.In(c.zone()).Format("2 January 2006") }

func (c Clock) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// Count returns a number with its noun: "1 partner", "3,802 customers".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// Number returns a number with its thousands apart.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// called is what the account's menu is called by.
func (p *Person) called() string {
	if p.Name != "" {
		return p.Name
	}
	return "Account"
}

// label is the label of a field by its name.
func (f *Form) label(name string) string {
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			return f.Fields[i].Label
		}
	}
	return name
}

// input is the type of a field's input element.
func (f *Field) input() string {
	switch f.Type {
	case Email:
		return "email"
	case Radios:
		return "radio"
	case Checks:
		return "checkbox"
	case Color:
		return "color"
	case Time:
		return "date"
	case File:
		return "file"
	}
	return "text"
}

// colors is the brand's part of the style. It is made of checked colors alone (brand.ValidColor).
func colors(css string) templ.Component { return templ.Raw("<style>" + css + "</style>") }

// Said returns what a field says, in words.
func (f *Field) Said() string {
	if len(f.Options) == 0 {
		return f.One()
	}
	var said []string
	for _, o := range f.Options {
		if f.has(o.Value) {
			said = append(said, o.Text)
		}
	}
	return strings.Join(said, ", ")
}

// where ends the sentence that says what somebody is invited to.
func (o *Offer) where() string {
	in := " in the portal of " + o.Portal + "."
	if o.Below {
		return ", and with all partners and customers below it," + in
	}
	return in
}

// since ends the sentence that says who is signed in.
func (a *Account) since() string {
	if a.Email != "" {
		return " (" + a.Email + "), since " + a.Since + "."
	}
	return ", since " + a.Since + "."
}

// may says what a role lets the reader do.
func (g *Granted) may() string {
	if g.Below {
		return "At this " + g.Kind + " and below it you may " + g.Rights + "."
	}
	return "At this " + g.Kind + " you may " + g.Rights + "."
}
