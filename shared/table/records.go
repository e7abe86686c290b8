package table

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/table/schema"
)

// Records are kept without knowing what they are: a record is one item, and one more for each list that shows it.

// recordItem is a record as it is kept.
func recordItem(r record.Record) (item, error) {
	fields, err := record.Encode(r.Ref().String(), r.Code)
	if err != nil {
		return nil, err
	}
	it := newItem(recordKey(r.Ref()), r.Ref().Kind())
	maps.Copy(it, attributes(fields))
	return it, nil
}

// entryItems are the entries of a record in lists, by key.
func entryItems(r record.Record) (map[key]item, error) {
	items := map[key]item{}
	if r == nil {
		return items, nil
	}
	for _, e := range r.Lists() {
		fields, err := record.Encode(r.Ref().String(), e.Show.Code)
		if err != nil {
			return nil, err
		}
		k := entryKey(e.Node, e.List, e.At)
		it := newItem(k, e.List.Name)
		maps.Copy(it, attributes(fields))
		items[k] = it
	}
	return items, nil
}

// listed are the writes that take a record from the lists that it was in to those that it is in. What is listed as it was is left alone.
func (t *Table) listed(was, now record.Record) ([]part, error) {
	before, err := entryItems(was)
	if err != nil {
		return nil, err
	}
	after, err := entryItems(now)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, k := range slices.SortedFunc(maps.Keys(before), key.compare) {
		if _, still := after[k]; !still {
			parts = append(parts, t.remove(k))
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(after), key.compare) {
		if !reflect.DeepEqual(before[k], after[k]) {
			parts = append(parts, t.put(after[k]))
		}
	}
	return parts, nil
}

// putRecord knows the entries in lists to be those of Was from its version.
func (t *Table) putRecord(s directory.Put) ([]part, error) {
	it, err := recordItem(s.Now)
	if err != nil {
		return nil, err
	}
	first := part{failed: is(s.Else)}
	var e expression
	switch {
	case s.Any:
		first = t.put(it)
	case s.Was != nil && s.Was.Ref() != s.Now.Ref():
		return nil, fmt.Errorf("%s is put over %s", s.Now.Ref(), s.Was.Ref())
	case s.Was != nil:
		condition, err := e.version(s.Was)
		if err != nil {
			return nil, err
		}
		first.write = t.putIf(it, condition, e)
	case !s.At.IsZero():
		first.write = t.putIf(it, "attribute_not_exists("+e.name(schema.PK)+") OR "+e.name(schema.TTLAttr)+" <= "+e.value(number(s.At.Unix())), e)
	default:
		first = t.add(it, s.Else)
	}
	lists, err := t.listed(s.Was, s.Now)
	terms := t.termed(s.Now.Ref().ID(), record.TermsOf(s.Was), record.TermsOf(s.Now))
	return slices.Concat([]part{first}, lists, terms), err
}

func (t *Table) removeRecord(s directory.Remove) ([]part, error) {
	k := recordKey(s.Was.Ref())
	first := t.remove(k)
	if !s.Any {
		var e expression
		condition, err := e.version(s.Was)
		if err != nil {
			return nil, err
		}
		first = part{t.removeIf(k, condition, e), is(s.Else)}
	}
	lists, err := t.listed(s.Was, nil)
	return slices.Concat([]part{first}, lists, t.termed(s.Was.Ref().ID(), record.TermsOf(s.Was), nil)), err
}

// version is the condition that the record that is there has the version of this one.
func (e *expression) version(was record.Record) (string, error) {
	fields, err := record.Encode(was.Ref().String(), was.Code)
	if err != nil {
		return "", err
	}
	version, has := fields[record.VersionField].(int64)
	if !has {
		return "", fmt.Errorf("%s has no version, and is written under one", was.Ref())
	}
	return e.name(record.VersionField) + " = " + e.value(number(version)), nil
}

// count counts one more in an item of the day, which is kept until that day is over everywhere.
func (t *Table) count(s directory.Count) []part {
	var e expression
	counted := e.name("counted")
	room := "attribute_not_exists(" + counted + ") OR " + counted + " < " + e.value(number(int64(s.Most)))
	count := "ADD " + counted + " " + e.value(number(int64(1+s.More))) +
		" SET " + e.name(schema.TTLAttr) + " = " + e.value(number(s.At.Add(keepCounted).Unix())) +
		", " + e.name(schema.TypeAttr) + " = " + e.value(text("count"))
	return []part{{t.update(countKey(s), count, room, e), is(s.Else)}}
}

// attributes are fields as DynamoDB keeps them.
func attributes(f record.Fields) item {
	it := item{}
	for name, v := range f {
		switch v := v.(type) {
		case string:
			it[name] = text(v)
		case int64:
			it[name] = number(v)
		case bool:
			it[name] = &types.AttributeValueMemberBOOL{Value: v}
		case []byte:
			it.bytes(name, v)
		case []string:
			it.texts(name, v)
		case record.Fields:
			it[name] = &types.AttributeValueMemberM{Value: attributes(v)}
		case []record.Fields:
			all := make([]item, len(v))
			for i, sub := range v {
				all[i] = attributes(sub)
			}
			it.list(name, all)
		}
	}
	return it
}

// recordFields are the fields of a record or of an entry in a list, without what the table adds.
func recordFields(it item) record.Fields {
	f := fields(it)
	for _, added := range []string{schema.PK, schema.SK, schema.TypeAttr} {
		delete(f, added)
	}
	return f
}

// fields are what attributes writes. What cannot be one is left as it is, and not taken for a field.
func fields(it item) record.Fields {
	f := record.Fields{}
	for name, a := range it {
		f[name] = a
		switch a := a.(type) {
		case *types.AttributeValueMemberS:
			f[name] = a.Value
		case *types.AttributeValueMemberN:
			if n, err := strconv.ParseInt(a.Value, 10, 64); err == nil {
				f[name] = n
			}
		case *types.AttributeValueMemberBOOL:
			f[name] = a.Value
		case *types.AttributeValueMemberB:
			f[name] = a.Value
		case *types.AttributeValueMemberM:
			f[name] = fields(a.Value)
		case *types.AttributeValueMemberL:
			f[name] = listOf(a)
		}
	}
	return f
}

// listOf is a list of texts, or of maps.
func listOf(l *types.AttributeValueMemberL) any {
	var texts []string
	var all []record.Fields
	for _, v := range l.Value {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			texts = append(texts, v.Value)
		case *types.AttributeValueMemberM:
			all = append(all, fields(v.Value))
		}
	}
	switch len(l.Value) {
	case len(texts):
		return texts
	case len(all):
		return all
	}
	return l // neither
}
