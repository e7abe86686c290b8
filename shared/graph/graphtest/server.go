package graphtest

import (
	"log/slog"
	"net/http/httptest"
	"testing"
)

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
