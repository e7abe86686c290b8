package operations_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/listtest"
)

var aTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)

func TestTheLogTellsWhoDidWhatAndWhen(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	admin, viewer := f.Client(a, "admin"), f.Client(a, "viewer")
	p := admin.Partner(a, "P", brand)
	cus := admin.Customer(p, "C", brand)
	w.Wait(time.Hour)
	noon := w.Now()
	admin.Do("PATCH", apitest.NodePath(cus), map[string]any{"name": "Customer", "reference": "R-1"}).Is(200)
	f.Do(suspend(p)).Is(202)

	log := viewer.Gets("%s/events", apitest.NodePath(a))
	want := []string{"partner.suspended", "customer.edited", "customer.created", "partner.created", "api-client.created", "api-client.created",
		"partner.created"}
	listtest.InOrder(t, "the log", log.Items("type"), want)
	edited := log.JSON()["items"].([]any)[1].(map[string]any)
	for name, want := range map[string]any{"nodeId": string(cus), "actorId": string(admin.ID), "requestId": "test-request",
		"path": []any{string(a), string(p), string(cus)},
		"data": map[string]any{"name": map[string]any{"from": "C", "to": "Customer"}, "reference": map[string]any{"from": "", "to": "R-1"}}} {
		if fmt.Sprint(edited[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v; want %v", name, edited[name], want)
		}
	}
	if strings.Contains(log.Body, string(w.Root)) {
		t.Errorf("what lies above shows: %s", log.Body)
	}
	at := url.QueryEscape(noon.Format(time.RFC3339Nano))
	zone := url.QueryEscape(noon.In(time.FixedZone("", 3*3600)).Format(time.RFC3339Nano))
	for query, want := range map[string][]string{
		"order=newest&limit=2":                            {"partner.suspended", "customer.edited"},
		"type=partner.created":                            {"partner.created", "partner.created"},
		"actorId=" + string(f.ID):                         {"partner.suspended", "api-client.created", "api-client.created", "partner.created"},
		"actorId=" + string(admin.ID) + "&until=" + at:    {"customer.created", "partner.created"},
		"from=" + at:                                      {"partner.suspended", "customer.edited"},
		"from=" + zone + "&type=customer.edited":          {"customer.edited"},
		"from=" + at + "&until=" + at:                     {},
		"type=customer.moved":                             {},
		"type=partner.created&actorId=" + string(f.ID):    {"partner.created"},
		"until=" + zone + "&type=api-client.created":      {"api-client.created", "api-client.created"},
		"from=9999-12-31T23:59:59Z":                       {},
		"until=0001-01-01T00:00:01Z&order=newest&limit=1": {},
	} {
		listtest.InOrder(t, query, viewer.Gets("%s/events?%s", apitest.NodePath(a), query).Items("type"), want)
	}
	itself := fmt.Sprint([]ident.Node{cus})
	if got := viewer.Gets("%s/events", apitest.NodePath(cus)).Items("path"); !slices.Equal(got, []string{itself, itself}) {
		t.Errorf("a customer's own log: %v", got)
	}
	for query, parameter := range map[string]string{"type=customer.sold": "type", "actorId=me": "actorId", "from=yesterday": "from",
		"until=2026-13-01T00:00:00Z": "until", "until=9999-12-31T23:59:59-10:00": "until", "order=random": "order", "limit=0": "limit",
		"actor=x": "actor"} {
		answer := viewer.Gets("%s/events?%s", apitest.NodePath(a), query).Is(400, "invalid")
		if !strings.Contains(answer.Body, `"pointer":"`+parameter+`"`) {
			t.Errorf("%s: %s", query, answer.Body)
		}
	}
	next := viewer.Gets("%s/events?limit=1", apitest.NodePath(a)).Get("next")
	for _, other := range []string{"&type=partner.created", "&order=oldest", "&from=" + at, "&until=" + at, "&actorId=" + string(f.ID)} {
		viewer.Gets("%s/events?limit=1&cursor=%s%s", apitest.NodePath(a), next, other).Is(400, "invalid-cursor")
	}
	viewer.Gets("%s/events?limit=1&cursor=%s", apitest.NodePath(p), next).Is(400, "invalid-cursor")
}

func TestALogShowsNoNodesOfOtherBranches(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	p := f.Partner(a, "P", brand)
	c := f.Client(p, "viewer")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", c.ID, b), map[string]any{"role": "viewer"}).Is(200)
	f.Do("DELETE", "/v1/api-clients/"+string(c.ID), nil).Is(204)
	f.Do(move(p, b)).Is(202)
	f.Do(move(p, a)).Is(202)
	f.Do(move(a, b)).Is(202)
	for _, at := range []ident.Node{p, a} {
		log := f.Client(at, "viewer").Gets("%s/events?limit=200", apitest.NodePath(at))
		if len(log.Items("id")) < 3 || strings.Contains(log.Body, string(b)) || strings.Contains(log.Body, string(w.Root)) {
			t.Errorf("the log of %s shows %s or %s: %s", at, b, w.Root, log.Body)
		}
	}
}

// reader follows the feed of a node.
type reader struct {
	as   *apitest.Actor
	at   ident.Node
	next string
	got  []string
}

// reads goes on to the end of what there is.
func (r *reader) reads(limit int) {
	r.as.World.T.Helper()
	for {
		page := r.as.Gets("%s/events?order=oldest&limit=%d%s", apitest.NodePath(r.at), limit, from(r.next))
		ids := page.Items("id")
		r.got = append(r.got, ids...)
		if r.next = page.Get("next"); r.next == "" {
			r.as.World.T.Fatalf("a feed without next: %s", page.Body)
		}
		if len(ids) == 0 {
			return
		}
	}
}

// TestAFeedHasEachEventOnce follows the feeds of a tree whose branches move, are suspended, trashed and restored meanwhile. Each has
// all that happened below its node while it happened there, once, in the order in which it happened.
func TestAFeedHasEachEventOnce(t *testing.T) {
	w, f, brand := world(t)
	random := rand.New(rand.NewPCG(4, 2026))
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	branch := f.Partner(a, "Branch", brand)
	leaf := f.Partner(branch, "Leaf", brand)
	var readers []*reader
	for _, at := range []ident.Node{w.Root, a, b, branch, leaf} {
		readers = append(readers, &reader{as: f.Client(w.Root, "viewer"), at: at})
	}
	places := []ident.Node{a, b}
	trashed, suspended := false, false
	for i := range 300 {
		switch what := random.IntN(7); {
		case what == 0 && !trashed:
			f.Do(move(branch, places[i%2])) // 200 when it is there
		case what == 1 && !trashed:
			f.Do(map[bool]func(ident.Node) (string, string, any){false: suspend, true: resume}[suspended](branch)).Is(202)
			suspended = !suspended
		case what == 2:
			f.Do(map[bool]func(ident.Node) (string, string, any){false: trash, true: restore}[trashed](branch)).Is(202)
			trashed = !trashed
		case what == 3:
			settle(w)
		case (what == 4 || what == 6) && !trashed && !suspended:
			f.Customer(leaf, fmt.Sprint("Customer ", i), brand)
		case what == 5:
			f.Do("PATCH", apitest.NodePath(places[i%2]), map[string]any{"name": fmt.Sprint("Name ", i)}).Is(200)
		}
		w.Wait(time.Duration(random.IntN(20)) * time.Second)
		readers[random.IntN(len(readers))].reads(1 + random.IntN(4))
	}
	for _, r := range readers {
		r.reads(200)
		if young := w.Store.(*directorytest.Fake).Events(); slices.Contains(r.got, string(young[len(young)-1].ID)) &&
			w.Now().Sub(young[len(young)-1].Time) < directory.FeedDelay {
			t.Errorf("the feed of %s has an event that is younger than %s", r.at, directory.FeedDelay)
		}
	}
	w.Wait(directory.FeedDelay)
	for _, r := range readers {
		r.reads(3)
		want := []string{}
		for _, e := range w.Store.(*directorytest.Fake).Events() {
			if slices.Contains(e.Witnesses(), r.at) {
				want = append(want, string(e.ID))
			}
		}
		listtest.InOrder(t, "the feed of "+string(r.at), r.got, want)
		if len(want) < 10 {
			t.Errorf("only %d events at %s: the test shows little", len(want), r.at)
		}
	}
}

func TestAFeedBeginsWhereItIsAskedTo(t *testing.T) {
	w, f, brand := world(t)
	f.Partner(w.Root, "Before", brand)
	w.Wait(time.Hour)
	from := w.Now()
	f.Partner(w.Root, "After", brand)
	feed := func(more string) *apitest.Answer {
		return f.Gets("%s/events?order=oldest&type=partner.created&from=%s%s", apitest.NodePath(w.Root),
			url.QueryEscape(from.Format(time.RFC3339Nano)), more)
	}
	early := feed("")
	if len(early.Items("id")) != 0 || early.Get("next") == "" {
		t.Errorf("too early: %s", early.Body)
	}
	w.Wait(directory.FeedDelay)
	if got := feed("").Items("type"); len(got) != 1 {
		t.Errorf("%v", got)
	}
	late := feed("&cursor=" + early.Get("next"))
	if len(late.Items("id")) != 1 || late.Get("next") == "" {
		t.Errorf("with the next of before: %s", late.Body)
	}
	if got := feed("&cursor=" + late.Get("next")).Items("id"); len(got) != 0 {
		t.Errorf("again: %v", got)
	}
}
