package table

import (
	"context"
	crypto "crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/word"
)

// part is one item of a transaction and the error that its failed condition stands for. Parts without a condition have
// no failed.
type part struct {
	write  types.TransactWriteItem
	failed func(now item) error // now: what is stored, when the part asked for it; nil when there is nothing
}

// Commit implements directory.Store. A transaction that conflicts with another one is tried again as a new one. One whose
// outcome is unknown is sent again under the same token, by which DynamoDB knows it when it was applied.
func (t *Table) Commit(ctx context.Context, steps ...directory.Step) error {
	if len(steps) == 1 {
		if s, ok := steps[0].(directory.Rewrite); ok {
			return t.rewriteAlone(ctx, s)
		}
	}
	var parts []part
	nth := rand.IntN(treeCopies)
	for _, s := range steps {
		p, err := t.parts(s, nth)
		if err != nil {
			return err
		}
		parts = append(parts, p...)
	}
	if len(parts) < 1 || len(parts) > maxBatch {
		return fmt.Errorf("a transaction of %d items; 1 to %d are possible", len(parts), maxBatch)
	}
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(crypto.Text())}
	written := map[key]bool{}
	for _, p := range parts {
		k := keyOf(p.write)
		if written[k] {
			return fmt.Errorf("a transaction with two parts about the item %s", k.pk)
		}
		written[k] = true
		in.TransactItems = append(in.TransactItems, p.write)
	}
	return persist(ctx, func(ctx context.Context) error {
		_, err := t.client.TransactWriteItems(ctx, in)
		var canceled *types.TransactionCanceledException
		if !errors.As(err, &canceled) {
			return err
		}
		in.ClientRequestToken = aws.String(crypto.Text())
		return why(canceled, parts)
	})
}

// keyOf is the key of the item that w is about.
func keyOf(w types.TransactWriteItem) key {
	var r reader
	switch {
	case w.Put != nil:
		r.item = w.Put.Item
	case w.Update != nil:
		r.item = w.Update.Key
	case w.Delete != nil:
		r.item = w.Delete.Key
	case w.ConditionCheck != nil:
		r.item = w.ConditionCheck.Key
	}
	return key{r.text(schema.PK), r.text(schema.SK)}
}

// errConflict is a transaction that was canceled for nothing that is wrong with it.
var errConflict = errors.New("in conflict with another transaction, or throttled")

// why is what the cancellation of a transaction means: the error of the first part whose condition failed.
// Only when none did, the transaction may succeed later.
func why(canceled *types.TransactionCanceledException, parts []part) error {
	var codes []string
	later := true
	for i, reason := range canceled.CancellationReasons {
		code := aws.ToString(reason.Code)
		switch code {
		case "", "None":
			continue
		case "ConditionalCheckFailed":
			if i >= len(parts) || parts[i].failed == nil {
				return fmt.Errorf("a condition failed that part %d of the transaction does not have: %w", i, canceled)
			}
			err := parts[i].failed(reason.Item)
			if err == nil {
				return fmt.Errorf("part %d of the transaction has no error for its failed condition", i)
			}
			return err
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			later = false
		}
		codes = append(codes, strconv.Itoa(i)+" "+code)
	}
	if later && codes != nil {
		return fmt.Errorf("%w: %s", errConflict, strings.Join(codes, ", "))
	}
	return fmt.Errorf("transaction refused: %s: %w", strings.Join(codes, ", "), canceled)
}

// parts are the writes of a step, each beside what its failure means. The nth copy of the tree state is the one to check:
// all change together, and transactions that check different ones are not in conflict.
func (t *Table) parts(s directory.Step, nth int) ([]part, error) {
	switch s := s.(type) {
	case directory.AddNode:
		return t.addNode(s), nil
	case directory.CheckParent:
		return t.checkParent(s), nil
	case directory.EditNode:
		return t.editNode(s), nil
	case directory.Put:
		return t.putRecord(s)
	case directory.Remove:
		return t.removeRecord(s)
	case directory.Count:
		return t.count(s), nil
	case directory.OwnBrand:
		return t.ownBrand(s), nil
	case directory.DisownBrand:
		return t.disownBrand(s), nil
	case directory.CheckGrant:
		return t.checkGrant(s), nil
	case directory.AddEvent:
		return t.addEvent(s)
	case directory.AddTree:
		var parts []part
		for i := range treeCopies {
			it, err := encodeTree(i, hierarchy.TreeState{Root: s.Root})
			if err != nil {
				return nil, err
			}
			parts = append(parts, t.add(it, s.Else))
		}
		return parts, nil
	case directory.PlaceNode:
		return t.placeNode(s), nil
	case directory.RemoveNode:
		return t.removeNode(s), nil
	case directory.RemovePurgeEntry:
		return []part{t.remove(dueKey(s.Entry))}, nil
	case directory.RaiseHeight:
		return t.raiseHeight(s), nil
	case directory.MeasureHeight:
		return t.measureHeight(s), nil
	case directory.LowerHeight:
		return t.lowerHeight(s), nil
	case directory.NextSeq:
		return t.nextSeq(s), nil
	case directory.AddChange:
		return t.addChange(s)
	case directory.CheckSeq:
		var e expression
		condition := e.name("seq") + " = " + e.value(number(s.Seq))
		return []part{{t.check(treeKey(nth), condition, e), is(s.Else)}}, nil
	case directory.Rewrite:
		return []part{t.rewrite(s)}, nil
	case directory.DropChange:
		return t.dropChange(s), nil
	}
	return nil, fmt.Errorf("a step of type %T", s)
}

func (t *Table) addNode(s directory.AddNode) []part {
	parts := []part{t.add(encodeNode(&s.Node), directory.ErrExists)}
	if s.Node.Parent != "" {
		parts = append(parts, t.put(encodeChild(&s.Node)))
	}
	return append(parts, t.termed(string(s.Node.ID), nil, s.Node.Terms())...)
}

// termed are the writes by which something is found by other terms. Those that it keeps are left alone.
func (t *Table) termed(id string, was, now []word.Term) []part {
	var parts []part
	for _, term := range was {
		if !slices.Contains(now, term) {
			parts = append(parts, t.remove(termKey(id, term)))
		}
	}
	for _, term := range now {
		if !slices.Contains(was, term) {
			parts = append(parts, t.put(newItem(termKey(id, term), "term")))
		}
	}
	return parts
}

func (t *Table) addEvent(s directory.AddEvent) ([]part, error) {
	items, err := encodeEvent(s.Event)
	if err != nil {
		return nil, err
	}
	parts := []part{t.add(items[0], directory.ErrExists)}
	for _, it := range items[1:] {
		parts = append(parts, t.put(it))
	}
	return parts, nil
}

func (t *Table) checkParent(s directory.CheckParent) []part {
	dropped, change := map[ident.Brand]int64{}, map[ident.Brand]int64{}
	for _, b := range s.Draw {
		change[b]++
	}
	for _, b := range s.Drop {
		dropped[b]++
		change[b]--
	}
	var e expression
	conditions := []string{e.name("asOf") + " = " + e.value(number(s.Parent.AsOf))}
	var sets []string
	for _, b := range slices.Sorted(maps.Keys(change)) {
		count := e.name("uses") + "." + e.name(ident.Bare(b))
		if n := dropped[b]; n > 0 {
			conditions = append(conditions, count+" >= "+e.value(number(n)))
		} else {
			conditions = append(conditions, "attribute_exists("+count+")")
		}
		if n := change[b]; n != 0 {
			sets = append(sets, count+" = "+count+" + "+e.value(number(n)))
		}
	}
	var updates []string
	if len(sets) > 0 {
		updates = append(updates, "SET "+strings.Join(sets, ", "))
	}
	if s.Height > s.Parent.Height { // otherwise it is high enough for as long as it has this AsOf: measuring would give it another one
		updates = append(updates, "ADD "+e.name("heights")+" "+e.value(heights(s.Height)))
	}
	k := nodeKey(s.Parent.ID)
	condition := strings.Join(conditions, " AND ")
	if len(updates) == 0 {
		return []part{{t.check(k, condition, e), elseNode(s.Parent.ID, s.Else)}}
	}
	return []part{{t.update(k, strings.Join(updates, " "), condition, e), elseNode(s.Parent.ID, s.Else)}}
}

func (t *Table) editNode(s directory.EditNode) []part {
	was, now := s.Was, s.Now
	var e expression
	conditions := []string{e.unedited(was)}
	var sets, removes []string
	edited := item{}
	edited.visible(now)
	delete(edited, "created")
	for _, name := range slices.Sorted(maps.Keys(edited)) {
		sets = append(sets, e.name(name)+" = "+e.value(edited[name]))
	}
	before := item{}
	before.visible(was)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, kept := edited[name]; !kept && name != "created" {
			removes = append(removes, e.name(name))
		}
	}
	for _, b := range brandsAdded(was, now) {
		count := e.name("uses") + "." + e.name(ident.Bare(b))
		sets = append(sets, count+" = if_not_exists("+count+", "+e.value(number(0))+")")
	}
	for _, b := range brandsRemoved(was, now) {
		count := e.name("uses") + "." + e.name(ident.Bare(b))
		removes = append(removes, count)
		conditions = append(conditions, count+" = "+e.value(number(0)))
	}
	if now.Brands.BecomesPortal(&was.Brands) {
		conditions = append(conditions, "contains("+e.name("owned")+", "+e.value(text(ident.Bare(now.Brands.Portal)))+")")
	}
	update := "SET " + strings.Join(sets, ", ")
	if len(removes) > 0 {
		update += " REMOVE " + strings.Join(removes, ", ")
	}
	parts := []part{{t.update(nodeKey(was.ID), update, strings.Join(conditions, " AND "), e), elseNode(was.ID, s.Else)}}
	// That the node is at Was.Version says that its terms, and its entry, are those of Was.
	parts = append(parts, t.termed(string(was.ID), was.Terms(), now.Terms())...)
	if was.Parent == "" {
		return parts
	}
	if from := childKey(was.Parent, was.ID, was.Name); from != childKey(was.Parent, was.ID, now.Name) {
		parts = append(parts, t.remove(from))
	}
	listed := *now
	listed.Parent, listed.Place, listed.Created, listed.Trashed = was.Parent, was.Place, was.Created, was.Trashed
	return append(parts, t.put(encodeChild(&listed)))
}

func (t *Table) ownBrand(s directory.OwnBrand) []part {
	var e expression
	owned, id := e.name("owned"), ident.Bare(s.Brand)
	condition := e.name("asOf") + " = " + e.value(number(s.Owner.AsOf)) +
		" AND (attribute_not_exists(" + owned + ") OR size(" + owned + ") < " + e.value(number(hierarchy.MaxBrands)) + ")"
	update := "ADD " + owned + " " + e.value(bareSet([]ident.Brand{s.Brand})) +
		" SET " + e.name("uses") + "." + e.name(id) + " = " + e.value(number(0))
	return []part{{t.update(nodeKey(s.Owner.ID), update, condition, e), elseNode(s.Owner.ID, s.Else)}}
}

func (t *Table) disownBrand(s directory.DisownBrand) []part {
	var e expression
	owned, uses, id := e.name("owned"), e.name("uses"), ident.Bare(s.Brand)
	condition := "contains(" + owned + ", " + e.value(text(id)) + ") AND " + uses + "." + e.name(id) + " = " + e.value(number(0)) +
		" AND " + e.name("portal") + " <> " + e.value(text(string(s.Brand)))
	update := "DELETE " + owned + " " + e.value(bareSet([]ident.Brand{s.Brand})) + " REMOVE " + uses + "." + e.name(id)
	return []part{{t.update(nodeKey(s.Owner), update, condition, e), elseNode(s.Owner, s.Else)}}
}

func (t *Table) checkGrant(s directory.CheckGrant) []part {
	var e expression
	var enough []string
	for role := s.Role; role <= access.Owner; role++ {
		enough = append(enough, e.value(text(role.String())))
	}
	condition := "attribute_not_exists(" + e.name(access.RevokedField) + ") AND " +
		e.name(access.GrantsField) + "." + e.name(string(s.Node)) + " IN (" + strings.Join(enough, ", ") + ")"
	return []part{{t.check(recordKey(access.Principals.Ref(s.Principal)), condition, e), is(s.Else)}}
}

func (t *Table) placeNode(s directory.PlaceNode) []part {
	was, now := s.Was, s.Now
	var e expression
	conditions := append(e.atMost(was.Levels()), e.unedited(was), e.name("asOf")+" = "+e.value(number(was.AsOf)))
	placed := item{}
	placed.place(now.Place, now.AsOf)
	placed.text("parent", string(now.Parent))
	placed.number("version", now.Version)
	placed.time("updated", now.Updated)
	placed.time(trashed, now.Trashed)
	update := e.assign(placed, append([]string{"parent", "version", "updated", trashed}, placeNames...))
	parts := []part{{t.update(nodeKey(was.ID), update, strings.Join(conditions, " AND "), e), elseNode(was.ID, s.Else)}}
	// That the node is at Was.Version says that it is due, and listed, as of Was.
	if !was.Trashed.IsZero() && !was.Trashed.Equal(now.Trashed) {
		parts = append(parts, t.remove(dueKey(directory.PurgeEntry{Node: was.ID, Since: was.Trashed})))
	}
	if !now.Trashed.IsZero() && !now.Trashed.Equal(was.Trashed) {
		parts = append(parts, t.put(encodeDue(now)))
	}
	if was.Parent == "" {
		return parts
	}
	listed := *was
	listed.Parent, listed.Place, listed.Version, listed.Updated, listed.Trashed =
		now.Parent, now.Place, now.Version, now.Updated, now.Trashed
	if now.Parent != was.Parent {
		parts = append(parts, t.remove(childKey(was.Parent, was.ID, was.Name)))
	}
	return append(parts, t.put(encodeChild(&listed)))
}

func (t *Table) removeNode(s directory.RemoveNode) []part {
	was := s.Was
	var e expression
	condition := e.name("version") + " = " + e.value(number(was.Version)) + " AND " + e.name("asOf") + " = " + e.value(number(was.AsOf))
	parts := []part{{t.removeIf(nodeKey(was.ID), condition, e), is(s.Else)}}
	parts = append(parts, t.termed(string(was.ID), was.Terms(), nil)...)
	if was.Parent != "" {
		parts = append(parts, t.remove(childKey(was.Parent, was.ID, was.Name)))
	}
	return parts
}

const keepCounted = 2 * 24 * time.Hour

func (t *Table) raiseHeight(s directory.RaiseHeight) []part {
	var e expression
	condition := "attribute_exists(" + e.name(schema.PK) + ")"
	if s.Height < 1 {
		return []part{{t.check(nodeKey(s.Node), condition, e), is(s.Else)}}
	}
	update := "ADD " + e.name("heights") + " " + e.value(heights(s.Height))
	return []part{{t.update(nodeKey(s.Node), update, condition, e), is(s.Else)}}
}

func (t *Table) measureHeight(s directory.MeasureHeight) []part {
	var e expression
	conditions := append(e.atMost(s.Was.Levels()), e.name("asOf")+" = "+e.value(number(s.Was.AsOf)))
	measured := item{}
	measured.place(s.Place, s.AsOf)
	measured.number(ceiling, int64(s.Was.Levels()))
	update := e.assign(measured, append([]string{"heights", ceiling}, placeNames...))
	return []part{{t.update(nodeKey(s.Was.ID), update, strings.Join(conditions, " AND "), e), is(s.Else)}}
}

func (t *Table) lowerHeight(s directory.LowerHeight) []part {
	var e expression
	condition := e.name("asOf") + " = " + e.value(number(s.AsOf))
	update := "REMOVE " + e.name(ceiling)
	if s.Height > 0 {
		update += " ADD " + e.name("heights") + " " + e.value(heights(s.Height))
	}
	return []part{{t.update(nodeKey(s.Node), update, condition, e), is(s.Else)}}
}

func (t *Table) nextSeq(s directory.NextSeq) []part {
	var parts []part
	for i := range treeCopies {
		var e expression
		seq := e.name("seq")
		condition := seq + " = " + e.value(number(s.Seq-1))
		parts = append(parts, part{t.updateUnseen(treeKey(i), "SET "+seq+" = "+e.value(number(s.Seq)), &condition, e), is(s.Else)})
	}
	return parts
}

func (t *Table) addChange(s directory.AddChange) ([]part, error) {
	change, err := encodeChange(&s.Change)
	if err != nil {
		return nil, err
	}
	var parts []part
	for i := range treeCopies {
		var e expression
		seq := e.name("seq")
		condition := seq + " = " + e.value(number(s.Change.Seq-1))
		update := "SET " + seq + " = " + e.value(number(s.Change.Seq)) + ", " + e.change(s.Change.Seq) + " = " + e.value(change)
		parts = append(parts, part{t.updateUnseen(treeKey(i), update, &condition, e), is(s.Else)})
	}
	return parts, nil
}

func (t *Table) dropChange(s directory.DropChange) []part {
	var parts []part
	for i := range treeCopies {
		var e expression
		update := "REMOVE " + e.change(s.Seq)
		parts = append(parts, part{write: t.updateUnseen(treeKey(i), update, nil, e)})
	}
	return parts
}

func (t *Table) rewrite(s directory.Rewrite) part {
	var e expression
	condition := e.name("asOf") + " = " + e.value(number(s.WasAsOf))
	placed := item{}
	placed.place(s.Place, s.AsOf)
	return part{t.update(nodeKey(s.Node), e.assign(placed, placeNames), condition, e), is(s.Else)}
}

// rewriteAlone does what there are many of without a transaction, so for half the price. DynamoDB knows no plain write
// again by a token: when one may have been applied already, the node itself tells.
func (t *Table) rewriteAlone(ctx context.Context, s directory.Rewrite) error {
	p := t.rewrite(s)
	u := p.write.Update
	again := false
	return persist(ctx, func(ctx context.Context) error {
		_, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: u.ConditionExpression,
			ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure,
		})
		var refused *types.ConditionalCheckFailedException
		if !errors.As(err, &refused) {
			again = true
			return err
		}
		if again && rewritten(s, refused.Item) {
			return nil
		}
		if err := p.failed(refused.Item); err != nil {
			return err
		}
		return errors.New("the rewrite has no error for its failed condition")
	})
}

// rewritten reports whether a node is stored just as s writes it.
func rewritten(s directory.Rewrite, it item) bool {
	placed := item{}
	placed.place(s.Place, s.AsOf)
	return !slices.ContainsFunc(placeNames, func(name string) bool { return !reflect.DeepEqual(it[name], placed[name]) })
}

func is(err error) func(item) error { return func(item) error { return err } }

// elseNode asks a step what it means that the node is as it is now.
func elseNode(id ident.Node, otherwise func(*hierarchy.Node) error) func(item) error {
	return func(now item) error {
		if now == nil {
			return otherwise(nil)
		}
		n, err := decodeNode(id, now)
		if err != nil {
			return err
		}
		return otherwise(n)
	}
}

// expression gathers the names and values that an expression of DynamoDB refers to.
type expression struct {
	names  map[string]string
	values map[string]types.AttributeValue
}

func (e *expression) name(name string) string {
	if e.names == nil {
		e.names = map[string]string{}
	}
	for ref, n := range e.names {
		if n == name {
			return ref
		}
	}
	ref := "#" + strconv.Itoa(len(e.names))
	e.names[ref] = name
	return ref
}

func (e *expression) value(v types.AttributeValue) string {
	if e.values == nil {
		e.values = map[string]types.AttributeValue{}
	}
	ref := ":" + strconv.Itoa(len(e.values))
	e.values[ref] = v
	return ref
}

// unedited is the condition that a node has the version and the parent that it was read with.
func (e *expression) unedited(was *hierarchy.Node) string {
	condition := e.name("version") + " = " + e.value(number(was.Version)) + " AND "
	if was.Parent == "" {
		return condition + "attribute_not_exists(" + e.name("parent") + ")"
	}
	return condition + e.name("parent") + " = " + e.value(text(string(was.Parent)))
}

// atMost are the conditions that a node has no more than so many levels.
func (e *expression) atMost(levels int) []string {
	conditions := []string{"(attribute_not_exists(" + e.name(ceiling) + ") OR " + e.name(ceiling) + " <= " + e.value(number(int64(levels))) + ")"}
	for higher := levels + 1; higher < hierarchy.MaxDepth; higher++ {
		conditions = append(conditions, "NOT contains("+e.name("heights")+", "+e.value(number(int64(higher)))+")")
	}
	return conditions
}

// assign is the update that gives all the named attributes their values, or takes them away where there is none.
func (e *expression) assign(values item, names []string) string {
	var sets, removes []string
	for _, name := range names {
		if v, ok := values[name]; ok {
			sets = append(sets, e.name(name)+" = "+e.value(v))
		} else {
			removes = append(removes, e.name(name))
		}
	}
	update := "SET " + strings.Join(sets, ", ")
	if len(removes) > 0 {
		update += " REMOVE " + strings.Join(removes, ", ")
	}
	return update
}

// change is where a tree state has a change.
func (e *expression) change(seq int64) string {
	return e.name("changes") + "." + e.name(changeName(seq))
}

// add puts an item that must not be there.
func (t *Table) add(it item, exists error) part {
	var e expression
	return part{t.putIf(it, "attribute_not_exists("+e.name(schema.PK)+")", e), is(exists)}
}

func (t *Table) put(it item) part {
	return part{write: types.TransactWriteItem{Put: &types.Put{TableName: &t.name, Item: it}}}
}

func (t *Table) putIf(it item, condition string, e expression) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &t.name, Item: it, ConditionExpression: &condition, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}}
}

func (t *Table) remove(k key) part {
	return part{write: types.TransactWriteItem{Delete: &types.Delete{TableName: &t.name, Key: k.attributes()}}}
}

func (t *Table) removeIf(k key, condition string, e expression) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &t.name, Key: k.attributes(), ConditionExpression: &condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}}
}

func (t *Table) check(k key, condition string, e expression) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &t.name, Key: k.attributes(), ConditionExpression: &condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

func (t *Table) update(k key, update, condition string, e expression) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &t.name, Key: k.attributes(), UpdateExpression: &update, ConditionExpression: &condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// updateUnseen is an update of something large: when its condition (nil: none) fails, what is stored does not come along.
func (t *Table) updateUnseen(k key, update string, condition *string, e expression) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &t.name, Key: k.attributes(), UpdateExpression: &update, ConditionExpression: condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}}
}
