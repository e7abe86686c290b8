package brand

import "testing"

func TestTextOnAColorCanBeRead(t *testing.T) {
	for color, want := range map[string]string{"#000000": "#ffffff", "#ffffff": "#000000", "#1f5fbf": "#ffffff", "#ffcc00": "#000000",
		"#767676": "#000000", "#757575": "#ffffff", "#ff0000": "#000000", "#0000ff": "#ffffff", "#00ff00": "#000000"} {
		if got := On(color); got != want {
			t.Errorf("on %s: %s, want %s", color, got, want)
		}
	}
}
