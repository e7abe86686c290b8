package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

// logoRoute is where the logos of brands are: for pages, and for mails. They are for everybody.
const logoRoute = "GET /brands/{id}/logo"

// logo serves a brand's logo. Under the address that brand.Brand.LogoURL gives, which has the beginning of the logo's hash in v, it never
// changes.
func (p *portal) logo(ctx context.Context, e events.APIGatewayV2HTTPRequest) response {
	png, err := p.logoOf(ctx, e.PathParameters["id"])
	if err != nil {
		f := fault.From(err)
		if f.Type.Status >= http.StatusInternalServerError {
			p.log.ErrorContext(ctx, "logo", "requestId", e.RequestContext.RequestID, "cause", err.Error())
		}
		return refuse(e, f)
	}
	r := answer(e, http.StatusOK, "image/png")
	r.Headers["Content-Security-Policy"] = nothing + "; sandbox"
	r.Headers["Cache-Control"] = "public, max-age=300"
	sum := sha256.Sum256(png)
	if v := e.QueryStringParameters["v"]; len(v) >= 16 && strings.HasPrefix(hex.EncodeToString(sum[:]), v) {
		r.Headers["Cache-Control"] = "public, max-age=31536000, immutable"
	}
	r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(png), true
	return r
}

func (p *portal) logoOf(ctx context.Context, id string) ([]byte, error) {
	brand, err := ident.ParseBrand(id)
	if err != nil || p.dir == nil {
		return nil, fault.NotFound.New("There is no such logo.")
	}
	return p.dir.Logo(ctx, brand)
}
