package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/credential"
)

// Names of the cookies. With this prefix browsers take them only over TLS (or from this machine), for this host alone and for all of it.
const (
	sessionCookie    = "__Host-session"    // who is signed in
	flowCookie       = "__Host-flow"       // the sign-in that is under way
	invitationCookie = "__Host-invitation" // the token of the link that was followed
)

// cookies reads those of a request. API Gateway gives them as a list, others as the header that the browser sent.
//
// Around them is space as HTTP has it, and no other: a browser does not take "U+00A0 __Host-session" for a name that it must keep other
// hosts from setting, so it is another name here, too. And because of that prefix no browser has two cookies of one name of ours: when two
// come, another host of the same domain has set one, and none of the two counts. Such a host can keep somebody from signing in, and never
// sign them in as somebody else.
func cookies(e *events.APIGatewayV2HTTPRequest) map[string]string {
	all := e.Cookies
	if len(all) == 0 {
		all = strings.Split(e.Headers["cookie"], ";")
	}
	found := map[string]string{}
	for _, c := range all {
		name, value, _ := strings.Cut(strings.Trim(c, " \t"), "=")
		if _, twice := found[name]; twice {
			value = "" // which is nothing that was ever sealed
		}
		found[name] = value
	}
	return found
}

// setCookie sets one until the browser is closed: how long it counts stands in its sealed value. Lax: it comes along when a link or
// Microsoft leads here, and with nothing else that another site begins.
func (v *visit) setCookie(name, value string) { v.cookie(http.Cookie{Name: name, Value: value}) }

// dropCookie deletes one that came along. What another site makes a browser send brings none of ours: its answer must not delete them.
func (v *visit) dropCookie(name string) {
	if v.came(name) {
		v.cookie(http.Cookie{Name: name, MaxAge: -1})
	}
}

// came reports whether the visitor brought a cookie, whatever it is worth.
func (v *visit) came(name string) bool {
	_, came := v.cookies[name]
	return came
}

func (v *visit) cookie(c http.Cookie) {
	c.Path, c.Secure, c.HttpOnly, c.SameSite = "/", true, true, http.SameSiteLaxMode
	set := v.set[:0]
	for _, other := range v.set { // the last word counts
		if !strings.HasPrefix(other, c.Name+"=") {
			set = append(set, other)
		}
	}
	v.set = append(set, c.String())
}

// How long the keyring is used before it is read again; and how long at least, when a cookie names a key that is newer than it.
const (
	keysFor   = 5 * time.Minute
	keysFresh = 10 * time.Second
)

// keys is the platform's keyring, as this process knows it.
type keys struct {
	read func(context.Context) (credential.Keyring, error)
	now  func() time.Time

	mu   sync.Mutex
	ring credential.Keyring
	at   time.Time // when it was read
}

// get returns the keyring, read again if it is time, or if one of the sealed values names a key that is newer.
func (k *keys) get(ctx context.Context, sealed ...string) (credential.Keyring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.at)
	due := len(k.ring) == 0 || age >= keysFor
	for _, s := range sealed {
		id, _, _ := strings.Cut(s, ".")
		n, err := strconv.Atoi(id)
		due = due || err == nil && n > k.ring[0].ID && age >= keysFresh
	}
	if !due {
		return k.ring, nil
	}
	ring, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	k.ring, k.at = ring, k.now()
	return ring, nil
}
