package graphtest

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
)

// controlRoutes are what Go tests do by methods, for those whose double is another process. Bodies are JSON, and must say
// so: a page of another origin can then not send them.
//
//	POST   /_control/faults                          a Fault
//	DELETE /_control/faults                          those not met yet
//	GET    /_control/requests                        [Request…]
//	DELETE /_control/requests
//	GET    /_control/keys                            {"published": [kid…], "signs": kid}
//	POST   /_control/keys                            {} → {"kid": …}: published, not signing yet
//	POST   /_control/keys/{kid}                      {}: signs from now on
//	DELETE /_control/keys/{kid}
//	POST   /_control/tokens                          a TokenOrder → {"token": …}
//	POST   /_control/apps                            an App
//	GET    /_control/tenants/{tenant}/people/{id}    a Person
//	POST   /_control/tenants/{tenant}/people         a Person
//	POST   /_control/tenants/{tenant}/consents       a Consent, added to what there is
//	DELETE /_control/tenants/{tenant}/consents/{app}
func (d *Double) controlRoutes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("POST /_control/faults", told(func(_ *http.Request, f Fault) (any, error) { return nil, d.Fail(f) }))
	m.HandleFunc("DELETE /_control/faults", asked(func(*http.Request) (any, error) { d.Heal(); return nil, nil }))
	m.HandleFunc("GET /_control/requests", asked(func(*http.Request) (any, error) { return d.Requests(), nil }))
	m.HandleFunc("DELETE /_control/requests", asked(func(*http.Request) (any, error) { d.Forget(); return nil, nil }))
	m.HandleFunc("GET /_control/keys", asked(func(*http.Request) (any, error) {
		published, signs := d.Keys()
		return map[string]any{"published": published, "signs": signs}, nil
	}))
	m.HandleFunc("POST /_control/keys", told(func(*http.Request, struct{}) (any, error) {
		kid, err := d.AddKey()
		return map[string]string{"kid": kid}, err
	}))
	m.HandleFunc("POST /_control/keys/{kid}", told(func(r *http.Request, _ struct{}) (any, error) {
		return nil, d.SignWith(r.PathValue("kid"))
	}))
	m.HandleFunc("DELETE /_control/keys/{kid}", asked(func(r *http.Request) (any, error) { return nil, d.RemoveKey(r.PathValue("kid")) }))
	m.HandleFunc("POST /_control/tokens", told(func(_ *http.Request, o TokenOrder) (any, error) {
		token, err := d.Token(o)
		return map[string]string{"token": token}, err
	}))
	m.HandleFunc("POST /_control/apps", told(func(_ *http.Request, a App) (any, error) { return nil, d.SetApp(a) }))
	m.HandleFunc("GET /_control/tenants/{tenant}/people/{id}", asked(func(r *http.Request) (any, error) {
		p, ok := d.Person(r.PathValue("tenant"), r.PathValue("id"))
		if !ok {
			return nil, fmt.Errorf("graphtest: there is no person %q in the tenant %q", r.PathValue("id"), r.PathValue("tenant"))
		}
		return p, nil
	}))
	m.HandleFunc("POST /_control/tenants/{tenant}/people", told(func(r *http.Request, p Person) (any, error) {
		return nil, d.SetPerson(r.PathValue("tenant"), p)
	}))
	m.HandleFunc("POST /_control/tenants/{tenant}/consents", told(func(r *http.Request, c Consent) (any, error) {
		return nil, d.Consent(r.PathValue("tenant"), c.App, c.Roles...)
	}))
	m.HandleFunc("DELETE /_control/tenants/{tenant}/consents/{app}", asked(func(r *http.Request) (any, error) {
		return nil, d.Withdraw(r.PathValue("tenant"), r.PathValue("app"))
	}))
	return m
}

// asked answers with what do gives: 204 when that is nothing, 400 with {"error": …} when it is an error.
func asked(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch answer, err := do(r); {
		case err != nil:
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		case answer == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, http.StatusOK, answer)
		}
	}
}

// told is asked with a body.
func told[T any](do func(*http.Request, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
			writeJSON(w, http.StatusUnsupportedMediaType, map[string]string{"error": "graphtest: Content-Type must be application/json"})
			return
		}
		asked(func(r *http.Request) (any, error) {
			dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
			dec.DisallowUnknownFields()
			var body T
			if err := dec.Decode(&body); err != nil {
				return nil, fmt.Errorf("graphtest: the body: %w", err)
			}
			return do(r, body)
		})(w, r)
	}
}

// TokenOrder says what token to make: one that Entra would give, with changes that it would not make.
type TokenOrder struct {
	App    string `json:"app"`
	Tenant string `json:"tenant"`
	Person string `json:"person"`
	// Nonce makes it an ID token; without one it is an access token for the app itself.
	Nonce string `json:"nonce"`
	// Change sets claims; null takes one out.
	Change map[string]any `json:"change"`
	// Consumers signs with the key for personal Microsoft accounts.
	Consumers bool `json:"consumers"`
}

// Token makes the token of an order.
func (d *Double) Token(o TokenOrder) (string, error) {
	claims, err := d.AccessClaims(o.App, o.Tenant, o.Person)
	if o.Nonce != "" {
		claims, err = d.IDClaims(o.App, o.Tenant, o.Person, o.Nonce)
	}
	if err != nil {
		return "", err
	}
	for name, value := range o.Change {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	if o.Consumers {
		return d.SignAsConsumers(claims)
	}
	return d.Sign(claims)
}
