package hierarchy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"unicode"
)

// TestFoldingIsWhatIsStored: folded names are part of stored keys, under which entries of lists are found again when a node
// is renamed. An upgrade that folds a character in another way (Go's tables, or those of x/text) leaves the old entries behind
// for ever. If this fails, such entries have to be rewritten before that upgrade is deployed.
func TestFoldingIsWhatIsStored(t *testing.T) {
	h, until, stored := sha256.New(), rune(unicode.MaxRune+1), "ec02a7181f14ae6592e14ce59165dc6d064a9d72d32af030df4e1770813103a1"
	if testing.Short() { // the scripts that most names are in
		until, stored = 0x3000, "823003adc5d8b1b6dc6dc2ba16bc5b534addee1b76817dd2305f9d6393092da8"
	}
	for r := range until {
		if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs) {
			fmt.Fprintf(h, "%x %s\n", r, Name(r).SortKey())
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != stored {
		t.Errorf("folding gives %s; stored keys were made by %s", got, stored)
	}
}
