package graphtest

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// NeedsMetadata skips a test of what is checked against Microsoft's published metadata, where that is not beside the module: then a double
// checks nothing of it.
func NeedsMetadata(tb testing.TB) {
	tb.Helper()
	if _, err := os.Stat(filepath.Join(besideModule(), "types.json")); err != nil {
		tb.Skip("left out: Microsoft's published metadata is not beside the checkout, at ../shared/microsoft-graph")
	}
}

// Server is a double that listens on loopback for the length of a test.
type Server struct {
	*Double
	URL string // the base
}

// Start serves a double until the test ends. Options may be adjusted; the base is that of the server, and the log is the
// test's.
func Start(tb testing.TB, dir Directory, adjust ...func(*Options)) *Server {
	tb.Helper()
	s := httptest.NewUnstartedServer(nil)
	o := Options{Base: "http://" + s.Listener.Addr().String(), Log: slog.New(slog.NewTextHandler(tb.Output(), nil))}
	for _, f := range adjust {
		f(&o)
	}
	d, err := New(dir, o)
	if err != nil {
		s.Listener.Close()
		tb.Fatal(err)
	}
	s.Config.Handler = d
	s.Start()
	tb.Cleanup(s.Close)
	return &Server{Double: d, URL: o.Base}
}
