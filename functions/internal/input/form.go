package input

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"example.com/partnertree/shared/fault"
)

// FromForm reads a form. Its fields have the names of the members of the JSON body; a member of an inner object has the name of the object
// and a slash before its own. So the pointer of an error is a slash and the name of the field. An empty field counts as missing, and
// as taken away where that is possible. Of several fields with one name the last counts, so that a hidden field before a checkbox can say
// false; where an array is wanted, all of them are elements.
func FromForm(form url.Values) *Object {
	return &Object{members: fields(form), wrong: new(fault.Fields)}
}

type formMember struct {
	values []string
	inside url.Values
}

func fields(form url.Values) map[string]member {
	all := map[string]member{}
	for name, values := range form {
		first, rest, nested := strings.Cut(name, "/")
		m, _ := all[first].(formMember)
		if !nested {
			m.values = values
		} else {
			if m.inside == nil {
				m.inside = url.Values{}
			}
			m.inside[rest] = values
		}
		all[first] = m
	}
	return all
}

func (m formMember) read(into any) (presence, error) {
	var last string
	if len(m.values) > 0 {
		last = m.values[len(m.values)-1]
	}
	switch into := into.(type) {
	case **Object:
		*into = &Object{members: fields(m.inside)}
		return given, nil
	case *[]string:
		*into = []string{}
		for _, v := range m.values {
			if v != "" {
				*into = append(*into, v)
			}
		}
		return given, nil
	case *string:
		*into = last
	case *bool:
		v, err := strconv.ParseBool(last)
		if *into = v; err != nil && last != "" {
			return malformed, errors.New("must be true or false")
		}
	case *int:
		v, err := strconv.Atoi(last)
		if *into = v; err != nil && last != "" {
			return malformed, errors.New("must be a number")
		}
	default:
		panic("input: no form has such a field")
	}
	if last == "" {
		return blank, nil
	}
	return given, nil
}
