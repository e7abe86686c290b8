package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"

	apps "example.com/partnertree/shared/brand"
)

// look is a brand's own look, and the app by which people sign in to its portal.
type look struct {
	color color.RGBA
	app   apps.App
}

// edit is the edit of a brand that gives it the look.
func (l *look) edit() (map[string]any, error) {
	logo, err := l.logo()
	return map[string]any{
		"color": fmt.Sprintf("#%02x%02x%02x", l.color.R, l.color.G, l.color.B), "logo": base64.StdEncoding.EncodeToString(logo),
		"portalApp": map[string]any{"clientId": l.app.Client, "tenantId": l.app.Tenant, "singleTenant": l.app.SingleTenant},
	}, err
}

// logoSize is the width and height in pixels that Microsoft wants of an app's logo.
const logoSize = 215

// logo is a PNG: rings on the color.
func (l *look) logo() ([]byte, error) {
	picture := image.NewPaletted(image.Rect(0, 0, logoSize, logoSize), color.Palette{l.color, color.White})
	const middle = logoSize / 2
	for y := range logoSize {
		for x := range logoSize {
			if d := (x-middle)*(x-middle) + (y-middle)*(y-middle); d < 20*20 || d > 42*42 && d < 58*58 || d > 76*76 && d < 88*88 {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var out bytes.Buffer
	err := png.Encode(&out, picture)
	return out.Bytes(), err
}
