package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

// logoRoute is where the logos of brands are: for pages, and for mails. They are for everybody.
const logoRoute = "GET /brands/{id}/logo"

// logos are what this process has served under addresses at which they never change: anybody can ask for them, and reading one costs as much
// as 27 nodes. They are in base64, as answers have them.
type logos struct {
	mu    sync.Mutex
	known map[string]string // by id and version
}

// maxLogos is how many are remembered, of 137 KB at most.
const maxLogos = 50

func (l *logos) get(at string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	body, ok := l.known[at]
	return body, ok
}

func (l *logos) put(at, body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= maxLogos || l.known == nil {
		l.known = map[string]string{}
	}
	l.known[at] = body
}

// logo serves a brand's logo. Under the address that brand.Brand.LogoURL gives, which has the beginning of the logo's hash in v, it never
// changes.
func (v *visit) logo(ctx context.Context) (response, error) {
	r := answer(*v.event, http.StatusOK, "image/png")
	r.Headers["Content-Security-Policy"] = nothing + "; sandbox"
	r.Headers["Cache-Control"] = "public, max-age=31536000, immutable"
	r.IsBase64Encoded = true
	id, hash := v.event.PathParameters["id"], v.event.QueryStringParameters["v"]
	var known bool
	if r.Body, known = v.logos.get(id + " " + hash); known {
		return r, nil
	}
	png, err := v.logoOf(ctx, id)
	if err != nil {
		return response{}, err
	}
	r.Body = base64.StdEncoding.EncodeToString(png)
	sum := sha256.Sum256(png)
	if len(hash) == brand.LogoVersion && strings.HasPrefix(hex.EncodeToString(sum[:]), hash) {
		v.logos.put(id+" "+hash, r.Body)
	} else {
		r.Headers["Cache-Control"] = "public, max-age=300"
	}
	return r, nil
}

func (p *portal) logoOf(ctx context.Context, id string) ([]byte, error) {
	parsed, err := ident.ParseBrand(id)
	if err != nil || p.dir == nil {
		return nil, fault.NotFound.New("This logo does not exist.")
	}
	return p.dir.Logo(ctx, parsed)
}
