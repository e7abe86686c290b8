package operations_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/functions/internal/limit"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/ident"
)

const address = "alice@vale.example"

func inviteTo(node ident.Node, role string) (method, target string, body any) {
	return "POST", apitest.NodePath(node) + "/invitations", map[string]any{"email": address, "role": role}
}

func onInvitation(id, verb string) (method, target string, body any) {
	return "POST", "/v1/invitations/" + id + "/" + verb, map[string]any{}
}

func revoke(id string) (method, target string, body any) {
	return "DELETE", "/v1/invitations/" + id, nil
}

func user(node ident.Node, who *apitest.Actor) string {
	return fmt.Sprintf("%s/users/%s", apitest.NodePath(node), who.ID)
}

// TestFromAnInvitationToItsEnd is what an invitation is for: somebody gets access to a subtree and nothing else, and loses it again.
func TestFromAnInvitationToItsEnd(t *testing.T) {
	n := newNeighbours(t)
	made := n.onA.Do("POST", apitest.NodePath(n.p)+"/invitations", map[string]any{"email": "  " + address + " ", "name": " Alice ",
		"role": "operator", "message": " Welcome. ", "expiresInDays": 14}).Is(201)
	id := made.Get("id")
	for name, want := range map[string]string{"nodeId": string(n.p), "email": address, "name": "Alice", "role": "operator",
		"message": "Welcome.",
		"state":   "pending", "mail": "queued", "invitedBy": string(n.onA.ID), "version": "1", "closedAt": "", "principalId": ""} {
		if got := made.Get(name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	created, err1 := time.Parse(time.RFC3339, made.Get("createdAt"))
	expires, err2 := time.Parse(time.RFC3339, made.Get("expiresAt"))
	if err1 != nil || err2 != nil || expires.Sub(created) != 14*24*time.Hour || made.Get("sentAt") != made.Get("createdAt") {
		t.Errorf("times: %s", made.Body)
	}
	if made.Header["Location"] != "/v1/invitations/"+id || made.Header["ETag"] != `"1"` {
		t.Errorf("%v", made.Header)
	}

	alice := n.Stranger(address)
	before := alice.Gets("/v1/me").Is(200)
	if before.Get("principal", "kind") != "person" || before.Get("principal", "name") != "" || len(before.JSON()["grants"].([]any)) != 0 {
		t.Errorf("before: %s", before.Body)
	}
	alice.CannotSee(n.p)
	if err := n.Stranger("bob@vale.example").Accepts(id); !fault.NotInvited.Is(err) {
		t.Errorf("somebody else: %v", err)
	}
	if err := alice.Accepts(id); err != nil {
		t.Fatal(err)
	}
	for _, node := range []ident.Node{n.p, n.child} {
		alice.Sees(node)
	}
	for _, node := range []ident.Node{n.a, n.b, n.Root} {
		alice.CannotSee(node)
	}
	me := alice.Gets("/v1/me").Is(200)
	if me.Get("principal", "id") != string(alice.ID) || me.Get("principal", "name") != "Alice Le Page" ||
		!strings.Contains(me.Body, `"role":"operator"`) {
		t.Errorf("after: %s", me.Body)
	}
	alice.Customer(n.p, "Made by a person", n.brand)
	did := n.f.Gets("%s/events?actorId=%s", apitest.NodePath(n.p), alice.ID).Items("type")
	if !slices.Equal(did, []string{"customer.created", "invitation.accepted"}) {
		t.Errorf("events: %v", did)
	}
	done := n.onA.Gets("/v1/invitations/%s", id).Is(200)
	if done.Get("state") != "accepted" || done.Get("principalId") != string(alice.ID) || done.Get("closedAt") == "" {
		t.Errorf("%s", done.Body)
	}
	n.onA.Do(revoke(id)).Is(409, "invitation-closed")
	n.onA.Do(onInvitation(id, "resend")).Is(409, "invitation-closed")

	// Listed like everybody else, changed, and removed.
	users := n.onA.Gets("%s/users", apitest.NodePath(n.p))
	i := slices.Index(users.Items("principalId"), string(alice.ID))
	if i < 0 || users.Items("kind")[i] != "person" || users.Items("role")[i] != "operator" || users.Items("tenantId")[i] == "" {
		t.Errorf("%s", users.Body)
	}
	if why := n.onA.Gets("/v1/access?principal=%s&node=%s&action=create-customer", alice.ID, n.p).Is(200); why.Get("allowed") != "true" {
		t.Errorf("%s", why.Body)
	}
	n.onA.Do("PUT", user(n.p, alice), map[string]any{"role": "viewer"}).Is(204)
	alice.Do("POST", "/v1/customers", map[string]any{"partnerId": n.p, "name": "No more", "brandId": n.brand}).Is(403, "forbidden")
	n.onA.Do("DELETE", user(n.p, alice), nil).Is(204)
	alice.CannotSee(n.p)
	n.onA.Do("DELETE", user(n.p, alice), nil).Is(404, "not-found")

	// Nothing of it stands where others read it.
	link := n.Link(id)
	log, told := n.Log.String(), fmt.Sprint(n.Store.(*directorytest.Fake).Events())
	for what, secret := range map[string]string{"address": address, "token": link.Text(),
		"hash": base64.StdEncoding.EncodeToString(link.Hash())} {
		if strings.Contains(log, secret) || strings.Contains(told, secret) {
			t.Errorf("the log or an event has the %s", what)
		}
	}
	for _, shown := range []string{made.Body, done.Body} {
		if strings.Contains(shown, link.Text()[17:]) || strings.Contains(strings.ToLower(shown), "hash") {
			t.Errorf("an answer has the link: %s", shown)
		}
	}
}

func TestAnInvitationIsSentAgain(t *testing.T) {
	n := newNeighbours(t)
	id := n.onA.Do(inviteTo(n.p, "viewer")).Is(201).Get("id")
	first := n.Link(id)
	soon := n.onA.Do(onInvitation(id, "resend")).Is(429, "too-soon")
	if s := soon.Header["Retry-After"]; s == "" || s == "0" {
		t.Errorf("Retry-After %q", s)
	}
	n.Wait(directory.ResendAfter)
	m, target, body := onInvitation(id, "resend")
	n.onA.Do(m, target, body, apitest.Header("If-Match", `"7"`)).Is(412, "precondition-failed")
	once := apitest.Header("Idempotency-Key", "once")
	again := n.onA.Do(m, target, body, once).Is(200)
	if again.Get("state") != "pending" || again.Get("mail") != "queued" || again.Get("version") != "2" ||
		again.Get("sentAt") == again.Get("createdAt") {
		t.Errorf("%s", again.Body)
	}
	if same := n.onA.Do(m, target, body, once).Is(200); same.Body != again.Body {
		t.Errorf("the same request again: %s", same.Body)
	}
	alice := n.Stranger(address)
	if err := alice.AcceptsLink(first); !fault.NotFound.Is(err) {
		t.Errorf("by the first link: %v", err)
	}
	n.Wait(directory.InvitationDays * 24 * time.Hour)
	if got := n.onA.Gets("/v1/invitations/%s", id).Get("state"); got != "expired" {
		t.Errorf("after its time it is %s", got)
	}
	if err := alice.Accepts(id); !fault.InvitationClosed.Is(err) {
		t.Errorf("after its time: %v", err)
	}
	n.onA.Do(m, target, body).Is(200)
	if err := alice.Accepts(id); err != nil {
		t.Errorf("sent again after its time: %v", err)
	}
	alice.Sees(n.child)
}

func TestAnInvitationIsRevoked(t *testing.T) {
	n := newNeighbours(t)
	id := n.onA.Do(inviteTo(n.child, "viewer")).Is(201).Get("id")
	m, target, _ := revoke(id)
	n.onA.Do(m, target, nil, apitest.Header("If-Match", `"7"`)).Is(412, "precondition-failed")
	done := n.onA.Do(revoke(id)).Is(200)
	if done.Get("state") != "revoked" || done.Get("closedAt") == "" || done.Header["ETag"] != `"2"` {
		t.Errorf("%v %s", done.Header, done.Body)
	}
	if same := n.onA.Do(revoke(id)).Is(200); same.Body != done.Body {
		t.Errorf("again: %s", same.Body)
	}
	n.Wait(directory.ResendAfter)
	n.onA.Do(onInvitation(id, "resend")).Is(409, "invitation-closed")
	if err := n.Stranger(address).Accepts(id); !fault.InvitationClosed.Is(err) {
		t.Errorf("%v", err)
	}
}

// TestInvitationsOfOthersAreOutOfReach: knowing an id is worth nothing.
func TestInvitationsOfOthersAreOutOfReach(t *testing.T) {
	n := newNeighbours(t)
	id := n.onA.Do(inviteTo(n.p, "viewer")).Is(201).Get("id")
	n.Wait(directory.ResendAfter)
	below := n.f.Client(n.child, "owner")
	for _, as := range []*apitest.Actor{n.onB, below, n.Stranger(address)} {
		as.Gets("/v1/invitations/%s", id).Is(404, "not-found")
		as.Do(onInvitation(id, "resend")).Is(404, "not-found")
		as.Do(revoke(id)).Is(404, "not-found")
		as.Gets("%s/invitations", apitest.NodePath(n.p)).Is(404, "not-found")
		as.Do(inviteTo(n.p, "viewer")).Is(404, "not-found")
	}
	operator := n.f.Client(n.p, "operator")
	operator.Gets("/v1/invitations/%s", id).Is(403, "forbidden")
	operator.Gets("%s/invitations", apitest.NodePath(n.p)).Is(403, "forbidden")
	operator.Do(inviteTo(n.p, "viewer")).Is(403, "forbidden")
	n.onA.Do(inviteTo(n.p, "owner")).Is(403, "role-too-high")
	if got := n.onB.Gets("%s/invitations", apitest.NodePath(n.b)).Items("id"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestInvitationsAreListedAndCapped(t *testing.T) {
	n := newNeighbours(t)
	someone := 0
	inviteTo := func(node ident.Node, role string) (method, target string, body any) {
		someone++
		email := fmt.Sprintf("someone%d@vale.example", someone)
		return "POST", apitest.NodePath(node) + "/invitations", map[string]any{"email": email, "role": role}
	}
	n.Next(24 * time.Hour)
	for range directory.InvitationsADay {
		n.onA.Do(inviteTo(n.p, "viewer")).Is(201)
	}
	refused := n.onA.Do(inviteTo(n.p, "viewer")).Is(429, "too-many-invitations")
	if refused.Header["Retry-After"] == "" {
		t.Error("no Retry-After")
	}
	n.onA.Do(inviteTo(n.child, "viewer")).Is(201)
	again := map[string]any{"email": "Again@vale.example", "role": "viewer"}
	for range directory.LinksToADay {
		n.f.Do("POST", apitest.NodePath(n.child)+"/invitations", again).Is(201)
	}
	n.onB.Do("POST", apitest.NodePath(n.b)+"/invitations", again).Is(201) // below another top-level partner
	told := n.f.Do("POST", apitest.NodePath(n.child)+"/invitations", again).Is(429, "too-many-invitations")
	if told.Header["Retry-After"] == "" || strings.Contains(told.Body, "address") {
		t.Errorf("%v %s", told.Header, told.Body)
	}
	n.Wait(24 * time.Hour)
	last := n.onA.Do(inviteTo(n.p, "viewer")).Is(201).Get("id")
	var all []string
	for next, first := "", true; first || next != ""; first = false {
		target := apitest.NodePath(n.p) + "/invitations?limit=20"
		if next != "" {
			target += "&cursor=" + next
		}
		page := n.onA.Gets("%s", target)
		all = append(all, page.Items("id")...)
		next = page.Get("next")
	}
	seen := slices.Clone(all)
	slices.Sort(seen)
	if len(all) != directory.InvitationsADay+1 || len(slices.Compact(seen)) != len(all) || all[0] != last {
		t.Errorf("%d listed, the newest first: %v", len(all), all[0] == last)
	}
}

// Each refusal of a guest has its code in the contract, and advice of its own.
func TestWhyAMailWasNotSentIsTold(t *testing.T) {
	n := newNeighbours(t)
	advice := map[string]bool{}
	for _, why := range guest.Refusals {
		made := n.onA.Do(inviteTo(n.p, "viewer")).Is(201)
		if strings.Contains(made.Body, "mailProblem") {
			t.Errorf("a problem before there is one: %s", made.Body)
		}
		id := ident.Invitation(made.Get("id"))
		d := directory.New(n.Store, n.Now)
		m, err := d.DueMail(t.Context(), id, 1)
		if err != nil || m == nil {
			t.Fatalf("%v, %v", m, err)
		}
		if _, err := d.RefuseMail(t.Context(), m, directory.MailProblem(why)); err != nil {
			t.Fatal(err)
		}
		got := n.onA.Gets("/v1/invitations/%s", id).Is(200)
		if got.Get("mail") != "failed" || !strings.Contains(got.Body, `"mailProblem":{"code":"`+string(why)+`","detail":"`) {
			t.Errorf("%s: %s", why, got.Body)
		}
		advice[why.Advice()] = true
	}
	if len(advice) != len(guest.Refusals) {
		t.Errorf("%d sentences for %d refusals", len(advice), len(guest.Refusals))
	}
	n.Wait(24 * time.Hour)
	id := n.onA.Do(inviteTo(n.p, "viewer")).Is(201).Get("id")
	n.f.Do(suspend(n.p)).Is(202)
	if m, err := directory.New(n.Store, n.Now).DueMail(t.Context(), ident.Invitation(id), 1); m != nil || err != nil {
		t.Errorf("%v, %v", m, err)
	}
	got := n.f.Gets("/v1/invitations/%s", id).Is(200)
	if sentence := directory.InvitationVoid.Advice(); got.Get("mailProblem", "code") != string(directory.InvitationVoid) ||
		got.Get("mailProblem", "detail") != sentence || advice[sentence] {
		t.Errorf("%s", got.Body)
	}
	if got.Get("problem", "code") != string(directory.NodeSuspended) || got.Get("problem", "detail") != directory.NodeSuspended.Advice() {
		t.Errorf("%s", got.Body)
	}
}

func TestWhatIsNoInvitation(t *testing.T) {
	n := newNeighbours(t)
	for body, pointer := range map[string]string{
		`{"role":"viewer"}`: "/email", `{"email":"a@b.example"}`: "/role", `{"email":null,"role":"viewer"}`: "/email",
		`{"email":"a@b.example","role":"boss"}`:                             "/role",
		`{"email":"a@b.example","role":"viewer","expiresInDays":0}`:         "/expiresInDays",
		`{"email":"a@b.example","role":"viewer","expiresInDays":31}`:        "/expiresInDays",
		`{"email":"a@b.example","role":"viewer","expiresInDays":1.5}`:       "/expiresInDays",
		`{"email":"a@b.example","role":"viewer","name":""}`:                 "/name",
		`{"email":"a@b.example","role":"viewer","name":"a@b.example"}`:      "/name",
		`{"email":"a@b.example","role":"viewer","name":"a\uff20b.example"}`: "/name",
		`{"email":"a@b.example","role":"viewer","name":"a\ufe6bb.example"}`: "/name",
		`{"email":"a@b.example","role":"viewer","message":""}`:              "/message",
		`{"email":"a@b.example","role":"viewer","message":"two\nlines"}`:    "/message",
	} {
		got := n.onA.Do("POST", apitest.NodePath(n.p)+"/invitations", body).Is(400, "invalid")
		if !strings.Contains(got.Body, `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	for _, email := range []string{"", "alice", "@b.example", "a@", "a@b", "a@ b.example", "a @b.example", "a b@b.example",
		"a@b.example\r\nBcc: c@d.example", "a@b.example,c@d.example",
		"Alice <a@b.example>", `"a b"@b.example`, "a@@b.example", "a@b@c.example", ".a@b.example", "a..b@c.example", "ä@b.example",
		"a@bücher.example",
		strings.Repeat("a", 65) + "@b.example", "a@" + strings.Repeat("b.", 130) + "example", "a\x00@b.example", "a\u200b@b.example",
		"a@\u212aobo.example", "a@cobo.\u212a", "a@\u017fite.example", "a@cobo.example\uff0e"} {
		body := map[string]any{"email": email, "role": "viewer"}
		got := n.onA.Do("POST", apitest.NodePath(n.p)+"/invitations", body).Is(400, "invalid")
		if strings.Contains(got.Body, "b.example") {
			t.Errorf("%q is repeated: %s", email, got.Body)
		}
	}
	for _, email := range []string{"a+b@c.example", "O'Neill_1@sub.c.example", "a@xn--bcher-kva.example"} {
		n.onA.Do("POST", apitest.NodePath(n.p)+"/invitations", map[string]any{"email": email, "role": "viewer"}).Is(201)
	}
	n.f.Do(suspend(n.p)).Is(202)
	n.onA.Do(inviteTo(n.p, "viewer")).Is(409, "suspended")
}

// TestRolesOfUsers: nobody changes more than they have, or themselves.
func TestRolesOfUsers(t *testing.T) {
	n := newNeighbours(t)
	alice, boss := n.PersonWith(n.p, access.Admin), n.PersonWith(n.p, access.Owner)
	role := func(r string) map[string]any { return map[string]any{"role": r} }
	alice.Do("PUT", user(n.p, boss), role("viewer")).Is(403, "role-too-high")
	alice.Do("DELETE", user(n.p, boss), nil).Is(403, "role-too-high")
	alice.Do("PUT", user(n.p, alice), role("viewer")).Is(409, "own-access")
	alice.Do("DELETE", user(n.p, alice), nil).Is(409, "own-access")
	boss.Do("PUT", user(n.p, alice), role("boss")).Is(400, "invalid")
	boss.Do("PUT", user(n.p, alice), role("owner")).Is(204)
	boss.Do("PUT", user(n.p, alice), role("owner")).Is(204) // it is so already
	alice.Do("DELETE", user(n.p, boss), nil).Is(204)
	boss.CannotSee(n.p)

	// API clients are users like others, but at home, for owners, and not upwards.
	home, guest, admin := n.f.Client(n.p, "viewer"), n.f.Client(n.a, "viewer"), n.PersonWith(n.p, access.Admin)
	n.f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", guest.ID, n.p), role("operator")).Is(200)
	admin.Do("PUT", user(n.p, guest), role("viewer")).Is(403, "forbidden")
	admin.Do("DELETE", user(n.p, guest), nil).Is(403, "forbidden")
	alice.Do("PUT", user(n.p, guest), role("admin")).Is(422, "immutable")
	alice.Do("PUT", user(n.p, guest), role("viewer")).Is(204)
	alice.Do("PUT", user(n.p, home), role("operator")).Is(422, "immutable")
	alice.Do("DELETE", user(n.p, home), nil).Is(422, "immutable")
	alice.Do("DELETE", user(n.p, guest), nil).Is(204)
	guest.Sees(n.p) // from further up
	alice.Do("PUT", user(n.p, guest), role("viewer")).Is(404, "not-found")
}

// What somebody has at a node has no ETag: a header that is about something else does not keep a role from being changed.
func TestARoleIsChangedWhateverIfMatchSays(t *testing.T) {
	n := newNeighbours(t)
	alice := n.PersonWith(n.p, access.Viewer)
	other := apitest.Header("If-Match", `"99"`)
	n.f.Do("PUT", user(n.p, alice), map[string]any{"role": "admin"}, other).Is(204)
	alice.Do(inviteTo(n.p, "viewer")).Is(201)
	n.f.Do("DELETE", user(n.p, alice), nil, other).Is(204)
	alice.CannotSee(n.p)
}

func TestSigningOutEverywhereCountsAtOnce(t *testing.T) {
	n := newNeighbours(t)
	here := n.PersonWith(n.p, access.Viewer)
	there := here.SignsIn()
	here.Do("POST", "/v1/me/sign-out-everywhere", nil).Is(204)
	for _, session := range []*apitest.Actor{here, there} {
		session.Gets("%s", apitest.NodePath(n.p)).Is(401, "unauthenticated")
		session.Do("POST", "/v1/me/sign-out-everywhere", nil).Is(401, "unauthenticated")
	}
	// Entra dates tokens back: one that is got within five minutes does not count, and the answer says from when on another does.
	soon := here.SignsIn()
	soon.Person.Began = soon.Person.Began.Add(-directory.TokensDatedBack).Truncate(time.Second)
	refused := soon.Gets("/v1/me").Is(401, "unauthenticated")
	_, says, _ := strings.Cut(refused.Get("detail"), "got before ")
	at, err1 := time.Parse(time.RFC3339, strings.Fields(says + " none")[0])
	after, err2 := strconv.Atoi(refused.Header["Retry-After"])
	if off := at.Sub(n.Now()) - time.Duration(after)*time.Second; err1 != nil || err2 != nil || after < 290 || after > 301 || off.Abs() > 2*time.Second {
		t.Errorf("%s, Retry-After: %s", refused.Body, refused.Header["Retry-After"])
	}
	for wait, status := range map[time.Duration]int{-2 * time.Second: 401, time.Second: 200} {
		later := here.SignsIn()
		later.Person.Began = at.Add(wait - directory.TokensDatedBack).Truncate(time.Second)
		later.Gets("/v1/me").Is(status)
	}
	n.Wait(directory.TokensDatedBack + time.Second)
	if late := soon.Gets("/v1/me").Is(401, "unauthenticated"); late.Header["Retry-After"] != "" {
		t.Errorf("when it is over: Retry-After: %s", late.Header["Retry-After"])
	}
	here.SignsIn().Sees(n.p)
	n.f.Do("POST", "/v1/me/sign-out-everywhere", nil).Is(403, "forbidden")

	// Who was never invited has sessions, too.
	stranger := n.Stranger("nobody@vale.example")
	stranger.Do("POST", "/v1/me/sign-out-everywhere", nil).Is(204)
	stranger.Gets("/v1/me").Is(401, "unauthenticated")
	stranger.SignsIn().Gets("/v1/me").Is(200)
}

// TestATokenEndsAlsoWhereItIsRemembered: API Gateway keeps what the authorizer said for some minutes.
func TestATokenEndsAlsoWhereItIsRemembered(t *testing.T) {
	n := newNeighbours(t)
	alice := n.PersonWith(n.p, access.Viewer)
	said := func(name string, value any) apitest.With {
		return func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.Authorizer.Lambda[name] = value }
	}
	over := fmt.Sprint(n.Now().UnixMilli())
	for what, with := range map[string]apitest.With{"expired": said("until", over), "no end": said("until", nil),
		"no beginning": said("session", ""), "a number": said("session", 1.5), "nobody": said("principal", ""),
		"a client without a key": said("principal", string(n.f.ID))} {
		if got := alice.Do("GET", "/v1/me", nil, with); got.Status != 401 {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
	}
	alice.Gets("/v1/me").Is(200)
}

// TestPeopleAreLimitedByPerson: more sessions are not more requests.
func TestPeopleAreLimitedByPerson(t *testing.T) {
	n := newNeighbours(t)
	alice, bob := n.PersonWith(n.p, access.Viewer), n.PersonWith(n.p, access.Viewer)
	n.Next(limit.Window)
	if _, err := n.Store.Count(t.Context(), string(alice.ID), n.Now().Truncate(limit.Window), limit.Quota); err != nil { // by other processes
		t.Fatal(err)
	}
	refused := 0
	for range 40 {
		if alice.SignsIn().Gets("/v1/me").Status == 429 {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("%d of 40 requests over the quota were refused", refused)
	}
	bob.Gets("/v1/me").Is(200)
}
