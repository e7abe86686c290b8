package operations

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
)

// What a logo must be, so that it can be shown on pages, and be given to an app registration: Microsoft takes a square PNG of at most
// 100 KB (../shared/microsoft.md, facts that shape the design).
const (
	maxLogo     = 100 << 10 // bytes
	minLogoSide = 48        // pixels
	maxLogoSide = 1024
)

// parseLogo reads a PNG in base64. It looks at the dimensions before it decodes the whole.
func parseLogo(s string) ([]byte, error) {
	logo, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("must be a PNG in base64 (RFC 4648, section 4, with padding)")
	}
	if len(logo) > maxLogo {
		return nil, fmt.Errorf("must have at most 100 KB (102,400 bytes); it has %d bytes", len(logo))
	}
	config, err := png.DecodeConfig(bytes.NewReader(logo))
	if err != nil {
		return nil, fmt.Errorf("must be a PNG in base64")
	}
	if config.Width != config.Height || config.Width < minLogoSide || config.Width > maxLogoSide {
		return nil, fmt.Errorf("must be square, with sides of %d to %d pixels; it has %d × %d",
			minLogoSide, maxLogoSide, config.Width, config.Height)
	}
	rest := bytes.NewReader(logo)
	if _, err := png.Decode(rest); err != nil {
		return nil, fmt.Errorf("must be a PNG that can be read: it is damaged")
	}
	if rest.Len() > 0 {
		return nil, fmt.Errorf("must end where the image ends; there is something after it")
	}
	return logo, nil
}
