package brand

import (
	"math"
	"strconv"
)

// ValidColor reports whether s is a color as brands have it: # and six hexadecimal digits in lower case.
func ValidColor(s string) bool {
	if len(s) != 7 || s[0] != '#' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// On is the color for text on a valid color: black or white, whichever has the better contrast, which is always at least the 4.5:1 that
// https://www.w3.org/TR/WCAG22/#contrast-minimum asks for.
func On(color string) string {
	if contrast(luminance(color), 0) >= contrast(luminance(color), 1) {
		return "#000000"
	}
	return "#ffffff"
}

// Readable reports whether text in one valid color on another has the contrast of at least 4.5:1 that
// https://www.w3.org/TR/WCAG22/#contrast-minimum asks for.
func Readable(text, on string) bool { return contrast(luminance(text), luminance(on)) >= 4.5 }

// contrast of two luminances, from 1 to 21: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// luminance of a valid color, from 0 (black) to 1 (white): https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
func luminance(color string) float64 {
	rgb, _ := strconv.ParseUint(color[1:], 16, 24)
	linear := func(channel uint64) float64 {
		v := float64(channel&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
}
