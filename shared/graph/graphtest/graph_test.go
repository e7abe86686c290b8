package graphtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/graph/graphtest"
)

// published is where Microsoft's metadata lies beside the module, when it does.
const published = "../../../../shared/microsoft-graph"

// graphAs gives the onboarding app these roles at contoso, and a token.
func graphAs(t *testing.T, s *graphtest.Server, roles ...string) string {
	t.Helper()
	if err := s.Consent(contoso, onboard, roles...); err != nil {
		t.Fatal(err)
	}
	token, err := appAlone(t, s, onboard, contoso, graphScope, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

func invitation(mail string) map[string]any {
	return map[string]any{"invitedUserEmailAddress": mail, "inviteRedirectUrl": "https://admin.contoso.example/",
		"sendInvitationMessage": false, "invitedUserDisplayName": "A guest"}
}

func guestOf(t *testing.T, answer map[string]any) string {
	t.Helper()
	user, _ := answer["invitedUser"].(map[string]any)
	id, _ := user["id"].(string)
	if id == "" {
		t.Fatalf("no invited user in %v", answer)
	}
	return id
}

func TestAGuestIsInvitedRedeemsAndSignsIn(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.Invite.All", "User.Read.All")
	status, first := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("cleo@fabrikam.example"))
	if status != http.StatusCreated || first["status"] != "PendingAcceptance" || first["invitedUserType"] != "Guest" {
		t.Fatalf("%d %v", status, first)
	}
	guest := guestOf(t, first)
	state := func() any {
		t.Helper()
		_, user := send(t, "GET", s.URL+"/v1.0/users/"+guest+"?$select=id,userType,externalUserState", token, nil)
		return user["externalUserState"]
	}
	if got := state(); got != "PendingAcceptance" {
		t.Errorf("invited, the guest is %v", got)
	}
	c := oauth(s, single, contoso)
	if p := newBrowser(t).press(newBrowser(t).open(signInURL(c, nil)), "Cleo"); !strings.Contains(p.body, "AADSTS50020:") {
		t.Errorf("before the invitation is accepted: %s", p.body)
	}
	// Again for a pending guest: the same user, another link, and the first one works, too.
	status, second := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("CLEO@fabrikam.example"))
	if status != http.StatusCreated || guestOf(t, second) != guest || second["inviteRedeemUrl"] == first["inviteRedeemUrl"] {
		t.Errorf("again: %d %v", status, second)
	}
	b := newBrowser(t)
	link, _ := first["inviteRedeemUrl"].(string)
	accept := b.open(link)
	if got := state(); got != "PendingAcceptance" {
		t.Errorf("opening the link makes the guest %v", got)
	}
	if p := b.send(accept, url.Values{"account": {fabrikam + "/" + dan}}); p.to != nil || !strings.Contains(p.body, "another account") {
		t.Errorf("somebody else accepts: %v %s", p.to, p.body)
	}
	if p := b.send(accept, url.Values{"account": {"one-time-passcode"}}); p.to != nil {
		t.Errorf("a passcode, though there is an account: %v", p.to)
	}
	if p := b.press(accept, "Cleo"); p.to == nil || p.to.String() != "https://admin.contoso.example/" {
		t.Errorf("accepting leads to %v: %s", p.to, p.body)
	}
	if got := state(); got != "Accepted" {
		t.Errorf("accepted, the guest is %v", got)
	}
	if p := b.open(link); p.to == nil || p.to.String() != "https://admin.contoso.example/" {
		t.Errorf("the link again leads to %v", p.to)
	}
	got := claims(t, signIn(t, c, "Cleo").AccessToken)
	if got["tid"] != contoso || got["oid"] != guest || got["xms_edov"] != true || got["email"] != "cleo@fabrikam.example" {
		t.Errorf("the guest signs in as %v", got)
	}
	if _, third := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("cleo@fabrikam.example")); third["status"] != "Completed" {
		t.Errorf("inviting who has accepted: %v", third)
	}
}

func TestWhoHasNoAccountRedeemsWithAPasscode(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.Invite.All")
	_, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("new@nowhere.example"))
	b := newBrowser(t)
	if p := b.press(b.open(answer["inviteRedeemUrl"].(string)), "Accept with a one-time passcode"); p.to == nil {
		t.Fatalf("accepting: %s", p.body)
	}
	got := claims(t, signIn(t, oauth(s, single, contoso), "A guest").AccessToken)
	if got["oid"] != guestOf(t, answer) || got["email"] != "new@nowhere.example" || got["xms_edov"] != true {
		t.Errorf("the guest signs in as %v", got)
	}
	p := b.press(b.open(signInURL(oauth(s, multi, "common"), url.Values{"prompt": {"login"}})), "A guest")
	if !strings.Contains(p.body, "AADSTS50020:") {
		t.Errorf("at common, where the guest has no tenant: %v %s", p.to, p.body)
	}
	if p := b.open(s.URL + "/redeem?ticket=made-up"); p.status != http.StatusBadRequest || !strings.Contains(p.body, "redemption failed") {
		t.Errorf("a ticket made up: %d", p.status)
	}
}

func TestWhoIsNotInvited(t *testing.T) {
	dir := directory()
	dir.Tenants[0].Guests.BlockedDomains = []string{"blocked.example"}
	s := graphtest.Start(t, dir)
	token := graphAs(t, s, "User.Invite.All")
	try := func(body map[string]any, status int, words string) {
		t.Helper()
		got, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, body)
		e, _ := answer["error"].(map[string]any)
		if message, _ := e["message"].(string); got != status || !strings.Contains(message, words) {
			t.Errorf("%v: %d %v", body, got, answer)
		}
	}
	for _, mail := range []string{"a+b@c.example", ".a@c.example", "a.@c.example", "a@b@c.example", "a b@c.example", "@c.example", "a@",
		"a@local"} {
		try(invitation(mail), 400, "not allowed")
	}
	if got, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("_o'neil-x.y_@c.example")); got != 201 {
		t.Errorf("an address that is allowed: %d %v", got, answer)
	}
	try(invitation(""), 400, "required")
	try(with(invitation("x@c.example"), "inviteRedirectUrl", "admin"), 400, "redirect URL")
	try(with(invitation("x@c.example"), "inviteRedirectUrl", "http://c.example/"), 400, "redirect URL")
	try(invitation("bob@contoso.example"), 400, "already exists in the directory as object ID: "+bob)
	try(invitation("x@blocked.example"), 400, "cross-tenant access settings")

	dir.Tenants[0].Guests.InvitesFrom = "adminsAndGuestInviters"
	s = graphtest.Start(t, dir)
	token = graphAs(t, s, "User.Invite.All")
	try(invitation("x@c.example"), 403, "Guest invitations not allowed")
}

func TestGraphWantsATokenForItself(t *testing.T) {
	clock := clocktest.Start()
	s := graphtest.Start(t, directory(), func(o *graphtest.Options) { o.Now = func() time.Time { return clock } })
	good := graphAs(t, s, "User.Read.All")
	forApp, err := s.Token(graphtest.TokenOrder{App: multi, Tenant: contoso, Person: ann})
	if err != nil {
		t.Fatal(err)
	}
	body, _, _ := strings.Cut(good, ".")
	for name, token := range map[string]string{"none": "", "not a token": "x", "of the app itself": forApp, "unsigned": body + ".e30."} {
		if status, answer := send(t, "GET", s.URL+"/v1.0/users", token, nil); status != 401 || graphCode(answer) != "InvalidAuthenticationToken" {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	if status, _ := send(t, "GET", s.URL+"/v1.0/users", good, nil); status != 200 {
		t.Errorf("a good token: %d", status)
	}
	clock = clock.Add(76 * time.Minute)
	if status, answer := send(t, "GET", s.URL+"/v1.0/users", good, nil); status != 401 || graphCode(answer) != "InvalidAuthenticationToken" {
		t.Errorf("expired: %d %v", status, answer)
	}
	clock = clock.Add(-76 * time.Minute)
	if err := s.Withdraw(contoso, onboard); err != nil {
		t.Fatal(err)
	}
	status, answer := send(t, "GET", s.URL+"/v1.0/users", good, nil)
	if status != 401 || graphCode(answer) != "Authorization_IdentityNotFound" {
		t.Errorf("with consent withdrawn: %d %v", status, answer)
	}
}

func TestGraphChecksPermissions(t *testing.T) {
	graphtest.NeedsMetadata(t)
	calls := []struct {
		method, path string
		body         any
		allowed      string // a role that allows it
	}{
		{"POST", "/v1.0/invitations", invitation("x@c.example"), "User.Invite.All"},
		{"GET", "/v1.0/users", nil, "User.Read.All"},
		{"GET", "/v1.0/users/" + bob, nil, "User.Read.All"},
		{"GET", "/v1.0/organization", nil, "Organization.Read.All"},
		{"PATCH", "/v1.0/users/" + bob, map[string]any{"displayName": "Robert"}, "User.ReadWrite.All"},
		{"DELETE", "/v1.0/users/" + bob, nil, "User.ReadWrite.All"},
	}
	for _, call := range calls {
		s := graphtest.Start(t, directory())
		token := graphAs(t, s, "Application.ReadWrite.OwnedBy")
		status, answer := send(t, call.method, s.URL+call.path, token, call.body)
		if status != 403 || graphCode(answer) != "Authorization_RequestDenied" {
			t.Errorf("%s %s without permission: %d %v", call.method, call.path, status, answer)
		}
		token = graphAs(t, s, call.allowed)
		if status, answer := send(t, call.method, s.URL+call.path, token, call.body); status/100 != 2 {
			t.Errorf("%s %s with %s: %d %v", call.method, call.path, call.allowed, status, answer)
		}
	}
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.Invite.All")
	if status, _ := send(t, "GET", s.URL+"/v1.0/users/"+bob, token, nil); status != 403 {
		t.Errorf("User.Invite.All reads users: %d", status)
	}
	// A person's token has the permissions of its scopes, not of the app's roles.
	person := signIn(t, oauth(s, onboard, contoso, "openid", "https://graph.microsoft.com/User.Read"), "Ann Admin")
	if status, _ := send(t, "POST", s.URL+"/v1.0/invitations", person.AccessToken, invitation("y@c.example")); status != 403 {
		t.Errorf("a person with User.Read invites: %d", status)
	}
	person = signIn(t, oauth(s, onboard, contoso, "openid", "https://graph.microsoft.com/User.Invite.All"), "Ann Admin")
	if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", person.AccessToken, invitation("y@c.example")); status != 201 {
		t.Errorf("a person with User.Invite.All: %d %v", status, answer)
	}
}

func TestGraphChecksNamesAndTypes(t *testing.T) {
	graphtest.NeedsMetadata(t)
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.ReadWrite.All", "User.Invite.All")
	for name, body := range map[string]map[string]any{
		"a name that is none": with(invitation("x@c.example"), "inviteRedirectURL", "https://c.example/"),
		"a text":              with(invitation("x@c.example"), "sendInvitationMessage", "false"),
		"a number":            with(invitation("x@c.example"), "invitedUserDisplayName", 7),
		"null":                with(invitation("x@c.example"), "invitedUserEmailAddress", nil),
		"no object":           with(invitation("x@c.example"), "invitedUserMessageInfo", "hello"),
		"a name inside":       with(invitation("x@c.example"), "invitedUserMessageInfo", map[string]any{"body": "hello"}),
		"a list inside":       with(invitation("x@c.example"), "invitedUserMessageInfo", map[string]any{"ccRecipients": map[string]any{}}),
		"a type inside a list": with(invitation("x@c.example"), "invitedUserMessageInfo",
			map[string]any{"ccRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": true}}}}),
	} {
		if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, body); status != 400 || graphCode(answer) != "BadRequest" {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	whole := with(invitation("x@c.example"), "invitedUserMessageInfo", map[string]any{"@odata.type": "#microsoft.graph.invitedUserMessageInfo",
		"ccRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": "y@c.example"}}}, "messageLanguage": nil})
	if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, whole); status != 201 {
		t.Errorf("a good one: %d %v", status, answer)
	}
	for _, query := range []string{"?$select=id,state", "?$filter=state%20eq%20'x'"} {
		if status, answer := send(t, "GET", s.URL+"/v1.0/users"+query, token, nil); status != 400 {
			t.Errorf("%s: %d %v", query, status, answer)
		}
	}
}

// What the double answers has only names that Microsoft's metadata has.
func TestAnswersHaveMicrosoftsNames(t *testing.T) {
	graphtest.NeedsMetadata(t)
	data, err := os.ReadFile(filepath.Join(published, "types.json"))
	if err != nil {
		t.Fatal(err)
	}
	var meta struct {
		Types map[string]struct {
			Base                   string
			Properties, Navigation map[string]any
		}
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		t.Fatal(err)
	}
	check := func(kind string, object map[string]any) {
		t.Helper()
		for name := range object {
			found := strings.HasPrefix(name, "@odata.")
			for at := kind; at != "" && !found; at = meta.Types[at].Base {
				_, property := meta.Types[at].Properties[name]
				_, navigation := meta.Types[at].Navigation[name]
				found = property || navigation
			}
			if !found {
				t.Errorf("%s has no %s", kind, name)
			}
		}
		if len(object) < 3 {
			t.Errorf("%s is %v", kind, object)
		}
	}
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.ReadWrite.All", "Organization.Read.All")
	_, invited := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("x@c.example"))
	check("invitation", invited)
	_, user := send(t, "GET", s.URL+"/v1.0/users/"+guestOf(t, invited)+"?$select=id,displayName,externalUserState,"+
		"externalUserStateChangeDateTime,accountEnabled,userType,mail,userPrincipalName,otherMails,givenName,surname,deletedDateTime", token, nil)
	if check("user", user); len(user) != 13 {
		t.Errorf("selected were 12 properties: %v", user)
	}
	_, list := send(t, "GET", s.URL+"/v1.0/organization", token, nil)
	organization := list["value"].([]any)[0].(map[string]any)
	check("organization", organization)
	check("verifiedDomain", organization["verifiedDomains"].([]any)[0].(map[string]any))
}

func TestWhatIsNotThereIsNotCheckedAndTheLogSaysSo(t *testing.T) {
	var log bytes.Buffer
	s := graphtest.Start(t, directory(), func(o *graphtest.Options) {
		o.Metadata, o.Log = t.TempDir(), slog.New(slog.NewTextHandler(&log, nil))
	})
	for _, file := range []string{"permissions.json", "types.json"} {
		if !strings.Contains(log.String(), "file="+file) {
			t.Errorf("the log says nothing of %s: %s", file, log.String())
		}
	}
	token := graphAs(t, s)
	if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, with(invitation("x@c.example"), "other", 1)); status != 201 {
		t.Errorf("%d %v", status, answer)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "types.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := graphtest.New(directory(), graphtest.Options{Base: "http://localhost:1", Metadata: broken}); err == nil {
		t.Error("a file that cannot be read was left out in silence")
	}
}

func TestUsersAreReadChangedAndDeleted(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.ReadWrite.All")
	users := s.URL + "/v1.0/users"
	_, user := send(t, "GET", users+"/bob@contoso.example", token, nil)
	if user["id"] != bob || user["mail"] != "bob@elsewhere.example" {
		t.Errorf("by user principal name: %v", user)
	}
	if _, there := user["externalUserState"]; there {
		t.Errorf("the state of a guest comes without being selected: %v", user)
	}
	if status, _ := send(t, "PATCH", users+"/"+bob, token, map[string]any{"displayName": "Robert", "accountEnabled": false}); status != 204 {
		t.Errorf("changing: %d", status)
	}
	if p, _ := s.Person(contoso, bob); p.Name != "Robert" || !p.Disabled {
		t.Errorf("changed to %+v", p)
	}
	if status, _ := send(t, "PATCH", users+"/"+bob, token, map[string]any{"mail": "robert@contoso.example"}); status != 204 {
		t.Errorf("changing the address: %d", status)
	}
	if p, _ := s.Person(contoso, bob); p.Mail != "robert@contoso.example" || !p.MailVerified || p.UPN != "bob@contoso.example" {
		t.Errorf("changed to %+v", p)
	}
	if status, _ := send(t, "PATCH", users+"/"+bob, token, map[string]any{"displayName": "R", "userType": "Guest"}); status != 400 {
		t.Errorf("changing what cannot be changed: %d", status)
	}
	if p, _ := s.Person(contoso, bob); p.Name != "Robert" {
		t.Errorf("a change that was refused was made in part: %+v", p)
	}
	if status, _ := send(t, "DELETE", users+"/"+bob, token, nil); status != 204 {
		t.Errorf("deleting: %d", status)
	}
	for _, id := range []string{bob, nobody, cleo} { // Cleo is of another tenant
		if status, answer := send(t, "GET", users+"/"+id, token, nil); status != 404 || graphCode(answer) != "Request_ResourceNotFound" {
			t.Errorf("%s: %d %v", id, status, answer)
		}
	}
	for _, path := range []string{"/v1.0/groups", "/v1.0/me"} {
		if status, answer := send(t, "GET", s.URL+path, token, nil); status != 400 || graphCode(answer) != "BadRequest" {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
}

func TestListsArePagedFilteredAndNeverNull(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.ReadWrite.All")
	for _, mail := range []string{"a@x.example", "b@x.example", "c@x.example"} {
		if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation(mail)); status != 201 {
			t.Fatal(answer)
		}
	}
	filter := "$filter=" + url.QueryEscape("userType eq 'Guest' and externalUserState eq 'PendingAcceptance'")
	var mails []string
	next, pages := s.URL+"/v1.0/users?$top=2&$select=mail&"+filter, 0
	for next != "" {
		_, page := send(t, "GET", next, token, nil)
		for _, u := range page["value"].([]any) {
			mails = append(mails, u.(map[string]any)["mail"].(string))
		}
		next, _ = page["@odata.nextLink"].(string)
		if pages++; pages > 3 {
			t.Fatal("the list has no end")
		}
	}
	if !slices.Equal(mails, []string{"a@x.example", "b@x.example", "c@x.example"}) || pages != 2 {
		t.Errorf("%v in %d pages", mails, pages)
	}
	_, none := send(t, "GET", s.URL+"/v1.0/users?$filter="+url.QueryEscape("mail eq 'o''neil@x.example'"), token, nil)
	if v, ok := none["value"].([]any); !ok || len(v) != 0 {
		t.Errorf("nobody is %v", none)
	}
	for _, query := range []string{"$filter=startswith(mail,'a')", "$top=0", "$top=1000", "$skiptoken=-1", "$top=x"} {
		if status, answer := send(t, "GET", s.URL+"/v1.0/users?"+query, token, nil); status != 400 {
			t.Errorf("%s: %d %v", query, status, answer)
		}
	}
}

func TestBodiesMayBeZipped(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.Invite.All")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	json.NewEncoder(w).Encode(invitation("x@c.example"))
	w.Close()
	if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, zipped.Bytes(), "Content-Encoding", "gzip"); status != 201 {
		t.Errorf("%d %v", status, answer)
	}
	for name, header := range map[string][]string{
		"zipped and not said so": nil, "no JSON": {"Content-Encoding", "gzip", "Content-Type", "text/plain"},
	} {
		if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, zipped.Bytes(), header...); status != 400 {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	for _, body := range []string{`[]`, `null`, `{} {}`, `{`} {
		if status, answer := send(t, "POST", s.URL+"/v1.0/invitations", token, []byte(body)); status != 400 {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
}

// What a double knows can be kept and given to the next one: guests are there again.
func TestADirectoryIsTakenOver(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.Invite.All")
	if status, body := send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("x@c.example")); status != http.StatusCreated {
		t.Fatalf("%d %v", status, body)
	}
	isGuest := func(p graphtest.Person) bool { return p.Mail == "x@c.example" && p.Guest != nil }
	next := graphtest.Start(t, s.Directory())
	for _, tenant := range next.Directory().Tenants {
		if slices.ContainsFunc(tenant.People, isGuest) != (tenant.ID == contoso) {
			t.Errorf("%s has %+v", tenant.Name, tenant.People)
		}
	}
}
