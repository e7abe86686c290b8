package input

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Text takes a parameter, "" when it is missing. An empty parameter is refused: a script whose variable is not set must not be answered
// about something else.
func (q *Query) Text(name string) string {
	v, given := q.given[name]
	delete(q.given, name)
	if given && v == "" {
		q.Add(name, "must not be empty; leave this parameter out")
	}
	return v
}

// Needed takes a parameter that must be there.
func Needed[T any](q *Query, name string, parse func(string) (T, error)) T {
	text := q.given[name]
	delete(q.given, name)
	if text == "" {
		q.Add(name, "is required")
		var none T
		return none
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

// Time takes a parameter that is a time, zero when it is missing.
func (q *Query) Time(name string) time.Time {
	text := q.Text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
		q.noTime(name, text, "a time like 2026-03-02T09:14:07Z")
	}
	return t
}

// noTime notes that a parameter is no time. It recognizes a + that was sent as it is: in a query, + is a space.
func (q *Query) noTime(name, text, what string) {
	meant := strings.Replace(text, " ", "+", 1)
	if _, err := time.Parse(time.RFC3339, meant); err == nil && meant != text {
		what += "; write + as %2B"
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
	} else if moment, err := time.Parse(time.RFC3339, text); err == nil {
		w = directory.Moment(moment)
	}
	if year := w.From.Year(); year < 2 || year > 9998 { // it stays within four digits in any time zone
		q.noTime(name, text, "a time like 2026-03-02T09:14:07Z or a date like 2026-03-02")
	}
	return &w
}

// NoQuery reads a query without parameters.
func NoQuery(*Query) struct{} { return struct{}{} }

// Paging reads which page of a list is asked for.
func Paging(q *Query) directory.Paging {
	return directory.Paging{Cursor: q.Text("cursor"), Limit: q.Int("limit", 50, 1, directory.MaxLimit)}
}
