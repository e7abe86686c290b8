package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// front serves the API on a friendly port. MiniStack finds an API by the Host header, which no browser lets one set.
type front struct {
	listener net.Listener
	server   *http.Server
}

// listen takes the port, so that a taken one is known before anything else is done.
func listen(port int) (*front, error) {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return nil, portTaken(port, portFlag, err)
	}
	return &front{listener: l}, nil
}

// url names the machine as browsers do: to them this host is as good as one with TLS, and takes the portal's cookies.
func (f *front) url() string {
	return "http://localhost:" + strconv.Itoa(f.listener.Addr().(*net.TCPAddr).Port)
}

// at is the origin of another host name that leads to the same port as an origin.
func at(origin, host string) string {
	u, err := url.Parse(origin)
	if err != nil {
		panic(err) // it is the front's
	}
	return u.Scheme + "://" + net.JoinHostPort(host, u.Port())
}

// Origin is where the portal is under a host name of a brand.
func (s *Stack) Origin(host string) string { return at(s.URL, host) }

// Transport finds all names below localhost on this machine, as browsers do.
func Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	var d net.Dialer
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return d.DialContext(ctx, network, address)
	}
	return t
}

// serve passes every request on to the API in MiniStack, but for the mailbox's, and tells what was answered, if anybody wants to know.
func (f *front) serve(cloud, api string, mailbox http.Handler, answered func(method, path string, status int)) {
	to := &url.URL{Scheme: "http", Host: cloud[len("http://"):]}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = api + ".execute-api.localhost"
			// A client that offers HTTP/2 goes on with HTTP/1.1. MiniStack would change to HTTP/2, and the client's next requests would pass
			// through here unread, with a Host that leads to no API.
			for _, name := range []string{"Connection", "Upgrade", "HTTP2-Settings"} {
				r.Out.Header.Del(name)
			}
			r.SetXForwarded()
		},
		ModifyResponse: func(r *http.Response) error {
			if answered != nil {
				answered(r.Request.Method, r.Request.URL.Path, r.StatusCode)
			}
			return nil
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: 30 * time.Second},
		ErrorLog:  log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "The local API Gateway does not answer: "+err.Error(), http.StatusBadGateway)
		},
	}
	all := http.NewServeMux()
	all.Handle("/", proxy)
	all.Handle("GET "+mailboxPath, mailbox)
	f.server = &http.Server{Handler: all, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = f.server.Serve(f.listener) }() // ends with close
}

func (f *front) close() error {
	if f.server == nil {
		return f.listener.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := f.server.Shutdown(ctx); err != nil {
		if err := f.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("closing the front: %w", err)
		}
	}
	return nil
}
