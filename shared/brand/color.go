package brand

import (
	"math"
	"strconv"
)

// On is the color of text on a color: black or white, whichever has the higher contrast, which is at least 4.5 to 1.
// Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
func On(color string) string {
	l := luminance(color)
	if (l+0.05)/0.05 > 1.05/(l+0.05) {
		return "#000000"
	}
	return "#ffffff"
}

// luminance of a color such as #1f5fbf: from 0, black, to 1.
func luminance(color string) float64 {
	rgb, err := strconv.ParseUint(color[1:], 16, 24)
	if err != nil {
		panic("brand: the color " + color + " was never valid")
	}
	linear := func(shift int) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}
