package input

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/fault"
)

func TestTimesAreThoseOfRFC3339(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-02T09:14:07Z":                "2026-03-02T09:14:07Z",
		"2026-03-02t09:14:07z":                "2026-03-02T09:14:07Z",
		"2026-03-02T09:14:07.1234567890Z":     "2026-03-02T09:14:07.123456789Z",
		"2026-03-02T09:14:07.5+23:59":         "2026-03-01T09:15:07.5Z",
		"2026-03-02T09:14:07-00:00":           "2026-03-02T09:14:07Z",
		"2026-03-02T09:14:07,5Z":              "",
		"2026-03-02T9:14:07Z":                 "",
		"2026-03-02T09:14:07+24:00":           "",
		"2026-03-02T09:14:07+01:60":           "",
		"2026-03-02T09:14:07+0100":            "",
		"2026-03-02T09:14Z":                   "",
		"2026-03-02T09:14:07":                 "",
		"2026-03-02 09:14:07Z":                "",
		"2026-02-30T09:14:07Z":                "",
		"2026-03-02T24:00:00Z":                "",
		" 2026-03-02T09:14:07Z":               "",
		"2026-03-02T09:14:07Z\"":              "",
		"2026-03-02T09:14:07\u212a":           "",
		"0000-12-31T23:59:59Z":                "",
		"null":                                "",
		"2026-12-31T23:59:60Z":                "leap",
		"2026-12-31T23:60:00Z":                "",
		"2026-03-02T09:14:07.5 01:00":         "%2B",
		"2026-03-02t09:14:07 01:00":           "%2B",
		strings.Repeat("2026-03-02T", 1000):   "",
		"2026-03-02T09:14:07." + nines + "Z":  "2026-03-02T09:14:07.999999999Z",
		"2026-03-02T09:14:07." + nines + "zZ": "",
	} {
		for what, read := range map[string]func(*Query) time.Time{
			"a time":   func(q *Query) time.Time { return q.Time("at") },
			"a window": func(q *Query) time.Time { return q.Window("at").From },
		} {
			q := FromQuery(map[string]string{"at": text})
			at, err := read(q), q.Err()
			if strings.HasPrefix(want, "2") {
				if stamp := at.UTC().Format(time.RFC3339Nano); err != nil || stamp != want && what == "a time" {
					t.Errorf("%s as %s: %s, %v; want %s", text, what, stamp, err, want)
				}
			} else if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s as %s: %s, %v; want an error with %q", text, what, at, err, want)
			}
		}
	}
}

const nines = "99999999999999999999"

// Text whose bytes were lost on the way is refused wherever it stands: nothing is kept that its sender has not written.
func TestDamagedTextIsRefused(t *testing.T) {
	read := func(o *Object) error {
		Optional(o, "a", As[string])
		Clearable(o, "b", As[[]string])
		Optional(o, "c", func(sub *Object) (string, error) { return Required(sub, "d", As[string]), nil })
		return o.Err()
	}
	for body, pointer := range map[string]string{
		`{"a":"Café","b":["é"],"c":{"d":"é"}}`: "",
		`{"a":"Caf` + "\ufffd" + `"}`:          "/a",
		`{"a":"Caf\ufffd"}`:                    "/a",
		`{"b":["x","` + "\ufffd" + `"]}`:       "/b/1",
		`{"c":{"d":"` + "\ufffd" + `"}}`:       "/c/d",
	} {
		o, err := FromJSON([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		refused(t, body, read(o), pointer)
	}
	for form, pointer := range map[string]string{"a=%C3%A9": "", "a=Caf%E9": "/a", "b=x&b=%EF%BF%BD": "/b/1", "c/d=%E9": "/c/d"} {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, form, read(FromForm(values)), pointer)
	}
	for text, pointer := range map[string]string{"é": "", "\ufffd": "p", "\xe9": "p"} {
		q := FromQuery(map[string]string{"p": text, "n": text})
		if q.Text("p"); pointer != "" {
			Needed(q, "n", func(s string) (string, error) { t.Errorf("%q was read", s); return s, nil })
		} else {
			Needed(q, "n", As[string])
		}
		refused(t, text, q.Err(), pointer)
	}
	if _, err := FromJSON([]byte("{\"a\":\"Caf\xe9\"}")); !fault.MalformedJSON.Is(err) || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("bytes that are no UTF-8: %v", err)
	}
}

func refused(t *testing.T, what string, err error, pointer string) {
	t.Helper()
	if pointer == "" {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if !fault.Invalid.Is(err) || fault.From(err).Fields[0].Pointer != pointer || !strings.Contains(err.Error(), "send UTF-8") {
		t.Errorf("%s: %v; want %s to be refused", what, err, pointer)
	}
}
