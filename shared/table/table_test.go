package table_test

import (
	"flag"
	"testing"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/table/tabletest"
)

func TestMain(m *testing.M) { tabletest.Main(m) }

func open(t *testing.T) directory.Store {
	store, _ := tabletest.New(t)
	return store
}

func TestTableCounts(t *testing.T) {
	store, _ := tabletest.New(t)
	directorytest.CountContract(t, store)
}

func TestTableAndFakeAreAlike(t *testing.T) {
	// Each run makes a table and reads all of it: a fifth of rapid's hundred runs takes five seconds. More: -rapid.checks.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("20"); err != nil {
			t.Fatal(err)
		}
	}
	directorytest.Alike(t, open)
}
