// Command serve runs the double of Entra ID and Microsoft Graph as a process of its own, on loopback only.
//
//	go run ./shared/graph/graphtest/serve -directory people.json -listen 127.0.0.1:8090 -base http://localhost:8090
//
// The directory is a [graphtest.Directory] as JSON. With -keep, what has become of it is written to the file when the double is told to
// end. With -cert and -key it serves https.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/partnertree/shared/graph/graphtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "graphtest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8090", "`address` on loopback")
	base := flags.String("base", "http://localhost:8090", "`URL` under which browsers and callers reach it")
	file := flags.String("directory", "", "`file` with the tenants, people and apps")
	keep := flags.Bool("keep", false, "write what the directory has become to its file at the end")
	metadata := flags.String("metadata", "", "`folder` with Microsoft's permissions.json and types.json "+
		"(default ../shared/microsoft-graph of the module)")
	cert := flags.String("cert", "", "`file` with a certificate, for https")
	key := flags.String("key", "", "`file` with the certificate's key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	data, err := os.ReadFile(*file)
	if err != nil {
		return fmt.Errorf("the directory: %w", err)
	}
	var dir graphtest.Directory
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&dir); err != nil {
		return fmt.Errorf("the directory %s: %w", *file, err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	double, err := graphtest.New(dir, graphtest.Options{Base: *base, Metadata: *metadata, Log: log})
	if err != nil {
		return err
	}
	// Whoever reaches it is whom they like, so nobody else may.
	if host, _, err := net.SplitHostPort(*listen); err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("%q is not an address on loopback", *listen)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: double, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() {
		if *cert != "" {
			ended <- server.ServeTLS(listener, *cert, *key)
		} else {
			ended <- server.Serve(listener)
		}
	}()
	log.Info("the double of Entra ID and Microsoft Graph listens", "address", listener.Addr().String(), "base", *base)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := server.Shutdown(last)
		if *keep {
			data, problem := json.Marshal(double.Directory())
			if problem == nil {
				problem = os.WriteFile(*file, data, 0o600)
			}
			err = errors.Join(err, problem)
		}
		return err
	}
}
