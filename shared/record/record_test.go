package record_test

import (
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/record"
)

// thing has a field of each type whose absence or form can be wrong.
type thing struct {
	id      string
	must    string
	number  int
	at      time.Time
	part    *thing
	parts   []thing
	by      map[string]int64
	version int64
}

var things = record.NewKind("thing", func(id string) *thing { return &thing{id: id} })

func (x *thing) Ref() record.Ref       { return things.Ref(x.id) }
func (x *thing) Lists() []record.Entry { return nil }

func (x *thing) Code(c *record.Coder) {
	x.inner(c)
	c.Time("at", &x.at)
	record.Optional(c, "part", &x.part, func(c *record.Coder, in *thing) { in.inner(c) })
	record.Each(c, "parts", &x.parts, func(c *record.Coder, in *thing) { in.inner(c) })
	record.Map(c, "by", &x.by, func(c *record.Coder, name string, n *int64) { record.Number(c, name, n) })
	c.Version(&x.version)
}

func (x *thing) inner(c *record.Coder) {
	record.Needed(c, "must", &x.must)
	record.Number(c, "number", &x.number)
}

func kept(t *testing.T) record.Fields {
	t.Helper()
	x := thing{id: "x", must: "m", number: 1, at: time.Unix(1_800_000_000, 0), part: &thing{must: "p"}, parts: []thing{{must: "q"}}, by: map[string]int64{"k": 1}, version: 3}
	f, err := record.Encode("thing x", x.Code)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What is not as it was written is an error that names the record and the field, and shows nothing of what is kept.
func TestWhatIsMalformedIsAnErrorThatShowsNothing(t *testing.T) {
	for field, spoil := range map[string]func(record.Fields){
		"must":         func(f record.Fields) { delete(f, "must") },
		"number":       func(f record.Fields) { delete(f, "number") },
		"version":      func(f record.Fields) { f["version"] = "secret" },
		"at":           func(f record.Fields) { f["at"] = "secret" },
		"part, must":   func(f record.Fields) { delete(f["part"].(record.Fields), "must") },
		"part":         func(f record.Fields) { f["part"] = "secret" },
		"parts":        func(f record.Fields) { f["parts"] = []string{"secret"} },
		"parts, must":  func(f record.Fields) { f["parts"].([]record.Fields)[0]["must"] = int64(7) },
		"by":           func(f record.Fields) { f["by"] = []byte("secret") },
		"by, field k ": func(f record.Fields) { f["by"].(record.Fields)["k"] = "secret" },
	} {
		f := kept(t)
		if _, err := things.Ref("x").Decode(f); err != nil {
			t.Fatal(err)
		}
		spoil(f)
		_, err := things.Ref("x").Decode(f)
		last := field[strings.LastIndex(field, " ")+1:]
		if err == nil || !strings.Contains(err.Error(), "thing x") || !strings.Contains(err.Error(), last) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestWhatMustBeThereIsNotWrittenWithout(t *testing.T) {
	if _, err := record.Encode("thing x", (&thing{}).Code); err == nil || !strings.Contains(err.Error(), "must") {
		t.Errorf("written: %v", err)
	}
}

func TestAnEmptyKeyOfAMapIsKept(t *testing.T) {
	x := thing{must: "m", by: map[string]int64{"": 7}}
	f, err := record.Encode("thing", x.Code)
	if err != nil {
		t.Fatal(err)
	}
	if _, has := f["by"].(record.Fields)[""]; has {
		t.Error("the key is kept as it is: DynamoDB takes no empty name")
	}
	got, err := things.Ref("x").Decode(f)
	if err != nil || got.(*thing).by[""] != 7 {
		t.Errorf("read as %+v, %v", got, err)
	}
}

func TestNobodyTakesAnothersName(t *testing.T) {
	for _, name := range []string{"thing", "", "Thing", "thing#x"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was declared", name)
				}
			}()
			record.NewKind(name, func(id string) *thing { return &thing{id: id} })
		}()
	}
}

// A field with a name that stores use would take the place of what they keep there.
func TestNobodyTakesTheNameOfAStore(t *testing.T) {
	for _, name := range []string{"pk", "sk", "type"} {
		text := "x"
		if f, err := record.Encode("thing", func(c *record.Coder) { record.Text(c, name, &text) }); err == nil {
			t.Errorf("%s is kept as %v", name, f)
		}
		inside := map[string]string{name: text}
		if _, err := record.Encode("thing", func(c *record.Coder) {
			record.Map(c, "map", &inside, func(c *record.Coder, key string, v *string) { record.Text(c, key, v) })
		}); err != nil {
			t.Errorf("%s in a map: %v", name, err)
		}
	}
}

func TestSets(t *testing.T) {
	a, b := &thing{id: "a"}, &thing{id: "b"}
	set := record.Set{b.Ref(): b, a.Ref(): a}
	if things.In(set, "a") != a || things.In(set, "c") != nil {
		t.Error("the wrong one was found")
	}
	if all := things.All(set); len(all) != 2 || all[0] != a || all[1] != b {
		t.Errorf("all are %v", all)
	}
	if id := record.IDAt("2026#x"); id != "x" || record.IDAt("x") != "x" {
		t.Errorf("the id is %q", id)
	}
	if refs := things.Refs("a", "b"); len(refs) != 2 || refs[1].ID() != "b" || refs[1].Kind() != "thing" {
		t.Errorf("the references are %v", refs)
	}
}
