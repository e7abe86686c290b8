package shape

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"strings"
)

// What a logo must be, so that it can be shown on pages, and be given to an app registration: Microsoft takes a square PNG of at most
// 100 KB there.
const (
	maxLogo     = 100 << 10 // bytes
	minLogoSide = 48        // pixels
	maxLogoSide = 1024
)

// parseLogo reads a PNG in base64. It looks at the dimensions before it decodes the whole.
func parseLogo(s string) ([]byte, error) {
	if s == "" {
		return nil, fmt.Errorf("must be a PNG in base64; send null to remove the logo")
	}
	if strings.HasPrefix(s, "data:") {
		return nil, fmt.Errorf("must be base64 only, without a leading data:…;base64,")
	}
	logo, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("must be a PNG in base64 (RFC 4648, section 4, with padding)")
	}
	if !bytes.HasPrefix(logo, []byte("\x89PNG\r\n\x1a\n")) {
		return nil, fmt.Errorf("must be a PNG in base64; this is %s", whatItIs(logo))
	}
	if len(logo) > maxLogo {
		return nil, fmt.Errorf("must have at most 100 KB (102,400 bytes); it has %d bytes", len(logo))
	}
	config, err := png.DecodeConfig(bytes.NewReader(logo))
	if err != nil {
		return nil, unreadable(logo)
	}
	if config.Width != config.Height || config.Width < minLogoSide || config.Width > maxLogoSide {
		return nil, fmt.Errorf("must be square, with sides of %d to %d pixels; it has %d × %d",
			minLogoSide, maxLogoSide, config.Width, config.Height)
	}
	rest := bytes.NewReader(logo)
	if _, err := png.Decode(rest); err != nil {
		return nil, unreadable(logo)
	}
	if rest.Len() > 0 {
		return nil, fmt.Errorf("must end where the image ends; remove the data after the image")
	}
	return logo, nil
}

// whatItIs names the kinds of images that are taken for a logo most often.
func whatItIs(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "a JPEG"
	case bytes.HasPrefix(b, []byte("GIF8")):
		return "a GIF"
	case bytes.Contains(b[:min(len(b), 1024)], []byte("<svg")):
		return "an SVG"
	}
	return "something else"
}

// end is the last chunk of every PNG.
var end = []byte("\x00\x00\x00\x00IEND\xae\x42\x60\x82")

func unreadable(logo []byte) error {
	if !bytes.Contains(logo, end) {
		return fmt.Errorf("must be a complete PNG; the end of this image is missing")
	}
	return fmt.Errorf("must be a readable PNG; this image is damaged")
}
