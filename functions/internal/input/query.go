package input

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"errors"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
)

// Query has the parameters of a query, which are taken by name. A parameter that nobody takes is refused.
type Query struct {
	fault.Fields
	given map[string]string
}

// FromQuery begins to read a query.
func FromQuery(given map[string]string) *Query { return &Query{given: maps.Clone(given)} }

// Err returns what was wrong with the query, once all parameters are taken. Unknown parameters come first: a misspelt name may be why
// another parameter is missing.
func (q *Query) Err() error {
	unknown := slices.Sorted(maps.Keys(q.given))
	if len(unknown) == 0 {
		return q.Fields.Err()
	}
	e := fault.Invalid.New("%s: unknown here. Send only the parameters that the API reference lists for this operation.",
		strings.Join(unknown, ", "))
	var f fault.Fields
	for _, name := range unknown {
		f.Add(name, "is not a parameter of this operation")
	}
	e.Fields = append(f, q.Fields...)
	return e
}

// take takes a parameter. It notes one that cannot be read as text, and returns ok false.
func (q *Query) take(name string) (text string, given, ok bool) {
	text, given = q.given[name]
	delete(q.given, name)
	if err := intact(text); err != nil {
		q.Add(name, "%s", err)
		return "", given, false
	}
	return text, given, true
}

// Text takes a parameter, "" when it is missing. An empty parameter is refused: a script whose variable is not set must not be answered
// about something else.
func (q *Query) Text(name string) string {
	text, given, ok := q.take(name)
	if given && ok && text == "" {
		q.Add(name, "must not be empty; leave this parameter out")
	}
	return text
}

// Needed takes a parameter that must be there.
func Needed[T any](q *Query, name string, parse func(string) (T, error)) (v T) {
	text, _, ok := q.take(name)
	if !ok {
		return v
	}
	if text == "" {
		q.Add(name, "is required")
		return v
	}
	v, err := parse(text)
	if err != nil {
		q.Add(name, "%s", err)
	}
	return v
}

// Given takes a parameter that can be missing.
func Given[T any](q *Query, name string, parse func(string) (T, error)) (v T) {
	text := q.Text(name)
	if text == "" {
		return v
	}
	v, err := parse(text)
	if err != nil {
		q.Add(name, "%s", err)
	}
	return v
}

// Int takes a parameter between lowest and highest.
func (q *Query) Int(name string, otherwise, lowest, highest int) int {
	text := q.Text(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest {
		q.Add(name, "must be a whole number from %d to %d", lowest, highest)
	}
	return n
}

// OneOf takes a parameter that has one of the values, "" when it is missing.
func OneOf[T ~string](q *Query, name string, values ...T) T {
	v := T(q.Text(name))
	if v != "" && !slices.Contains(values, v) {
		q.Add(name, "must be one of: %s", strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ", "), "[]"))
	}
	return v
}

// Moment reads a time of a body or a form, to the second. "" is no time.
func Moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := moment(text)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, errors.New("must be " + aTime)
	}
	return t.Truncate(time.Second), nil
}

// moment reads a time exactly as RFC 3339 has it, which time.Parse does not: that takes +24:00 and fractions after a comma, too. T and Z may be
// lower case. A leap second is none: Go's times have no place for it.
func moment(text string) (t time.Time, err error) {
	quoted, err := jsontext.AppendQuote(nil, strings.ToUpper(text))
	if err == nil {
		err = json.Unmarshal(quoted, &t)
	}
	return t.UTC(), err
}

const (
	aTime       = "a time like 2026-03-02T09:14:07Z"
	aTimeOrDate = aTime + " or a date like 2026-03-02"
)

// Time takes a parameter that is a time, zero when it is missing.
func (q *Query) Time(name string) time.Time {
	text := q.Text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := moment(text)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		q.noTime(name, text, aTime)
	}
	return t
}

// noTime notes that a parameter is no time, and how to write what was meant: a + that was sent as it is, since in a query + is a space, or a
// leap second.
func (q *Query) noTime(name, text, what string) {
	plus := strings.Replace(text, " ", "+", 1)
	if _, err := moment(plus); err == nil && plus != text {
		what += "; write + as %2B"
	}
	const minutes = len("2006-01-02T15:04")
	if len(text) > minutes {
		rest, leap := strings.CutPrefix(text[minutes:], ":60")
		if _, err := moment(text[:minutes] + ":59" + rest); leap && err == nil {
			what += "; a leap second cannot be given, so write 59 for 60"
		}
	}
	q.Add(name, "must be %s", what)
}

// Window takes a moment or a day of the past; nil: the present.
func (q *Query) Window(name string) *directory.Window {
	text := q.Text(name)
	if text == "" {
		return nil
	}
	w := directory.Window{}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		w = directory.Day(day)
	} else if at, err := moment(text); err == nil {
		w = directory.Moment(at)
	}
	if year := w.From.Year(); year < 2 || year > 9998 { // it stays within four digits in any time zone
		q.noTime(name, text, aTimeOrDate)
	}
	return &w
}

// NoQuery reads a query without parameters.
func NoQuery(*Query) struct{} { return struct{}{} }

// Paging reads which page of a list is asked for.
func Paging(q *Query) directory.Paging {
	return directory.Paging{Cursor: q.Text("cursor"), Limit: q.Int("limit", 50, 1, directory.MaxLimit)}
}
