package brand

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestTextOnAnyColorCanBeRead(t *testing.T) {
	black, white := luminance("#000000"), luminance("#ffffff")
	if black != 0 || math.Abs(white-1) > 1e-9 {
		t.Errorf("black has the luminance %f, and white %f", black, white)
	}
	rapid.Check(t, func(t *rapid.T) {
		color := fmt.Sprintf("#%06x", rapid.Uint32Range(0, 1<<24-1).Draw(t, "color"))
		if !ValidColor(color) {
			t.Fatalf("%s is not valid", color)
		}
		on, here := On(color), luminance(color)
		got, other := contrast(here, luminance(on)), contrast(here, white)
		if on == "#ffffff" {
			other = contrast(here, black)
		} else if on != "#000000" {
			t.Fatalf("the text on %s is %s", color, on)
		}
		if got < 4.5 || got < other {
			t.Errorf("%s on %s has a contrast of %f:1, and the other one %f:1", on, color, got, other)
		}
	})
}

// Ratios by the definition of WCAG 2.2, to two digits.
func TestContrastIsThatOfTheStandard(t *testing.T) {
	for _, c := range []struct {
		color, on string
		ratio     float64
	}{
		{"#000000", "#ffffff", 21}, {"#ffffff", "#000000", 21}, {"#1f5fbf", "#ffffff", 6.09}, {"#ffcc00", "#000000", 13.89},
		{"#777777", "#000000", 4.69}, {"#757575", "#ffffff", 4.61}, {"#ff0000", "#000000", 5.25}, {"#0000ff", "#ffffff", 8.59},
	} {
		if Readable(c.color, c.color) || !Readable(c.on, c.color) {
			t.Errorf("what can be read on %s", c.color)
		}
		if got := contrast(luminance(c.color), luminance(c.on)); On(c.color) != c.on || math.Abs(got-c.ratio) > 0.006 {
			t.Errorf("on %s: %s; %s has %.3f:1, not %.2f:1", c.color, On(c.color), c.on, got, c.ratio)
		}
	}
}

func TestWhatIsNoColor(t *testing.T) {
	for _, s := range []string{
		"", "#", "1f5fbf", "#1F5FBF", "#1f5fb", "#1f5fbff", "#1f5fbg", "#fff", "red", "#1f5f\x00f", " #1f5fbf", "#1f5fbf;", "#é1f5f",
	} {
		if ValidColor(s) {
			t.Errorf("%q is valid", s)
		}
	}
}
