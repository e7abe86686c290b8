package record

import (
	"fmt"
	"slices"
	"time"
)

// Fields are the fields of a record as stores keep them: string, int64, bool, []byte, []string, Fields or []Fields, by name. What is empty
// is not kept, but numbers and maps are.
type Fields map[string]any

// Fields with a meaning for stores. No other field has one of these names.
const (
	VersionField = "version" // int64
	ExpiresField = "expires" // int64: when stores may forget the record, in seconds since 1970
)

// reserved are names that stores use for themselves.
var reserved = []string{"pk", "sk", "type"}

// TimeFormat is how times are kept: in UTC to the microsecond, with a fixed width, so that they sort.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Time is a time as it is kept.
func Time(t time.Time) string { return t.UTC().Format(TimeFormat) }

// Encode returns the fields of what code carries. What must be there and is not is an error, and so is a field with a name that stores use.
func Encode(what string, code func(*Coder)) (Fields, error) {
	c := Coder{fields: Fields{}, what: what}
	code(&c)
	for _, name := range reserved {
		if _, taken := c.fields[name]; taken {
			return nil, fmt.Errorf("%s: no field can have the name %s, which stores use: choose another name", what, name)
		}
	}
	return c.fields, c.err
}

func decode(what string, f Fields, code func(*Coder)) error {
	c := Coder{fields: f, reading: true, what: what}
	code(&c)
	return c.err
}

// Coder carries fields between a record and what stores keep. The same calls do both, so that a field stands once.
type Coder struct {
	fields  Fields
	reading bool
	what    string
	err     error
}

// Fail says that a field is not as it was written. The first one counts. The error names the field and nothing that is kept in it.
func (c *Coder) Fail(name string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: field %s is missing or malformed", c.what, name)
	}
}

// Reading reports whether fields are being read.
func (c *Coder) Reading() bool { return c.reading }

// field is a field that is there.
func field[T any](c *Coder, name string) (v T, there bool) {
	a, there := c.fields[name]
	if !there {
		return v, false
	}
	v, ok := a.(T)
	if !ok {
		c.Fail(name)
	}
	return v, ok
}

// Text carries a text, which is not kept when it is empty.
func Text[T ~string](c *Coder, name string, v *T) {
	if c.reading {
		s, _ := field[string](c, name)
		*v = T(s)
	} else if *v != "" {
		c.fields[name] = string(*v)
	}
}

// Needed carries a text that is never empty.
func Needed[T ~string](c *Coder, name string, v *T) {
	if Text(c, name, v); *v == "" {
		c.Fail(name)
	}
}

// Named carries a value by its name.
func Named[T interface{ String() string }](c *Coder, name string, v *T, parse func(string) (T, bool)) {
	s := ""
	if !c.reading {
		s = (*v).String()
	}
	Text(c, name, &s)
	if c.reading {
		known := false
		if *v, known = parse(s); !known {
			c.Fail(name)
		}
	}
}

// Number carries a number, which is kept when it is 0, too.
func Number[T ~int | ~int64](c *Coder, name string, v *T) {
	if !c.reading {
		c.fields[name] = int64(*v)
		return
	}
	n, there := field[int64](c, name)
	if !there {
		c.Fail(name)
	}
	*v = T(n)
}

// Version carries the version of a record, by which it is replaced.
func (c *Coder) Version(v *int64) { Number(c, VersionField, v) }

// Expires carries when stores may forget a record, to the second. They can be days late. What is read is for those who need to know.
func (c *Coder) Expires(t *time.Time) {
	s := t.Unix()
	Number(c, ExpiresField, &s)
	if c.reading {
		*t = time.Unix(s, 0).UTC()
	}
}

// Bool carries whether something is so. What is not so is not kept.
func (c *Coder) Bool(name string, v *bool) {
	if c.reading {
		*v, _ = field[bool](c, name)
	} else if *v {
		c.fields[name] = true
	}
}

// Time carries a time, which is not kept when it is zero.
func (c *Coder) Time(name string, v *time.Time) {
	s := ""
	if !c.reading && !v.IsZero() {
		s = Time(*v)
	}
	Text(c, name, &s)
	if c.reading {
		*v = time.Time{}
		if t, err := time.Parse(TimeFormat, s); err == nil {
			*v = t
		} else if s != "" {
			c.Fail(name)
		}
	}
}

// Micros carries a time as microseconds since 1970, which is shorter and does not sort.
func (c *Coder) Micros(name string, v *time.Time) {
	n := v.UnixMicro()
	Number(c, name, &n)
	if c.reading {
		*v = time.UnixMicro(n).UTC()
	}
}

// Bytes carries bytes, which are not kept when there are none.
func (c *Coder) Bytes(name string, v *[]byte) {
	if c.reading {
		b, _ := field[[]byte](c, name)
		*v = slices.Clone(b)
	} else if len(*v) > 0 {
		c.fields[name] = slices.Clone(*v)
	}
}

// Texts carries several texts, which are not kept when there are none.
func Texts[T ~string](c *Coder, name string, v *[]T) {
	if c.reading {
		*v = nil
		all, _ := field[[]string](c, name)
		for _, s := range all {
			*v = append(*v, T(s))
		}
	} else if len(*v) > 0 {
		all := make([]string, len(*v))
		for i, s := range *v {
			all[i] = string(s)
		}
		c.fields[name] = all
	}
}

// sub carries what is inside of a field.
func (c *Coder) sub(name string, f Fields, code func(*Coder)) {
	in := Coder{fields: f, reading: c.reading, what: c.what + ", " + name, err: c.err}
	code(&in)
	c.err = in.err
}

// Optional carries what may be there or not: nil.
func Optional[T any](c *Coder, name string, v **T, code func(*Coder, *T)) {
	if !c.reading {
		if *v != nil {
			f := Fields{}
			c.sub(name, f, func(c *Coder) { code(c, *v) })
			c.fields[name] = f
		}
		return
	}
	*v = nil
	if f, there := field[Fields](c, name); there {
		*v = new(T)
		c.sub(name, f, func(c *Coder) { code(c, *v) })
	}
}

// Each carries several things of one kind, in their order.
func Each[T any](c *Coder, name string, v *[]T, code func(*Coder, *T)) {
	if !c.reading {
		all := make([]Fields, len(*v))
		for i := range *v {
			all[i] = Fields{}
			c.sub(name, all[i], func(c *Coder) { code(c, &(*v)[i]) })
		}
		if len(all) > 0 {
			c.fields[name] = all
		}
		return
	}
	all, _ := field[[]Fields](c, name)
	*v = nil
	if len(all) > 0 {
		*v = make([]T, len(all))
	}
	for i, f := range all {
		c.sub(name, f, func(c *Coder) { code(c, &(*v)[i]) })
	}
}

// everything stands for the empty key of a map, which cannot be kept.
const everything = "*"

// Map carries values by key. A map is kept when it is empty, too, and read as one that is not nil.
func Map[K ~string, V any](c *Coder, name string, v *map[K]V, code func(c *Coder, key string, v *V)) {
	if !c.reading {
		f := Fields{}
		c.sub(name, f, func(c *Coder) {
			for k, value := range *v {
				if k == "" {
					k = everything
				}
				code(c, string(k), &value)
			}
		})
		c.fields[name] = f
		return
	}
	f, _ := field[Fields](c, name)
	*v = make(map[K]V, len(f))
	c.sub(name, f, func(c *Coder) {
		for k := range f {
			var value V
			code(c, k, &value)
			if k == everything {
				k = ""
			}
			(*v)[K(k)] = value
		}
	})
}

// Few carries values by key as Map does, but an empty map is not kept, and read as nil.
func Few[K ~string, V any](c *Coder, name string, v *map[K]V, code func(c *Coder, key string, v *V)) {
	if !c.reading && len(*v) == 0 {
		return
	}
	if _, there := c.fields[name]; c.reading && !there {
		*v = nil
		return
	}
	Map(c, name, v, code)
}
