package view

import (
	"strings"
	"testing"

	"example.com/partnertree/functions/portal/asset"
)

func TestLinksHaveTheBrandsColorWhereItCanBeRead(t *testing.T) {
	if want := "--panel: light-dark(" + lightPanel + ", " + darkPanel + ");"; strings.Count(string(asset.Style.Content), want) != 1 {
		t.Errorf("the style sheet has not %s", want)
	}
	const text = "var(--text)"
	for color, want := range map[string][2]string{
		"#7a1fbf": {"#7a1fbf", text}, "#ffe08a": {text, "#ffe08a"}, "#d04a00": {"#d04a00", text}, "#777777": {text, text},
		"#000000": {"#000000", text},
	} {
		if got := (Look{Color: color}).Colors(); !strings.HasSuffix(got, "--accent:light-dark("+want[0]+","+want[1]+")}") {
			t.Errorf("%s: %s", color, got)
		}
	}
}
