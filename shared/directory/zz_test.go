package directory_test
import ("testing";"example.com/partnertree/shared/directory/directorytest")
func TestZZ(t *testing.T) { t.Log(directorytest.Stat) }
