package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// SpiceDB, as it is built from the Go module proxy. It has no released version there.
const (
	spiceDBModule  = "github.com/authzed/spicedb"
	spiceDBVersion = "v1.56.1-0.20260807003957-bb9e61b5f956"
)

// spiceDB holds a relationship for each node's parent and for each grant.
type spiceDB struct{ api *rest }

func startSpiceDB(ctx context.Context, m *machine) (peer, error) {
	return runSpiceDB(ctx, m, "--datastore-engine", "memory")
}

func startSpiceDBOnPostgres(ctx context.Context, m *machine) (peer, error) {
	binary, err := m.build(ctx, spiceDBModule, spiceDBVersion, "./cmd/spicedb")
	if err != nil {
		return nil, err
	}
	uri, err := m.postgres(ctx)
	if err != nil {
		return nil, err
	}
	at := []string{"--datastore-engine", "postgres", "--datastore-conn-uri", uri}
	if err := m.do(ctx, nil, binary, append([]string{"datastore", "migrate", "head", "--skip-release-check"}, at...)...); err != nil {
		return nil, err
	}
	return runSpiceDB(ctx, m, at...)
}

func runSpiceDB(ctx context.Context, m *machine, args ...string) (peer, error) {
	binary, err := m.build(ctx, spiceDBModule, spiceDBVersion, "./cmd/spicedb")
	if err != nil {
		return nil, err
	}
	http, err := address()
	if err != nil {
		return nil, err
	}
	grpc, err := address()
	if err != nil {
		return nil, err
	}
	const key = "only-on-this-machine"
	api := newREST(http, key)
	return &spiceDB{api}, m.run(ctx, nil, api.healthy("/healthz"), binary, append([]string{"serve", "--grpc-preshared-key", key,
		"--grpc-addr", grpc, "--http-enabled", "--http-addr", http, "--log-level", "error", "--metrics-enabled=false",
		"--telemetry-endpoint", "", "--skip-release-check"}, args...)...)
}

const spiceDBSchema = `definition user {}
definition node {
	relation parent: node
	relation viewer: user
	permission view = viewer + parent->view
}`

func (s *spiceDB) load(ctx context.Context, w *world) error {
	if err := s.api.post(ctx, "/v1/schema/write", object{"schema": spiceDBSchema}, &struct{}{}); err != nil {
		return err
	}
	var updates []object
	for _, n := range w.nodes {
		updates = append(updates, relate("TOUCH", string(n.ID), "parent", "node", string(n.Parent)))
	}
	for who, granted := range w.grants {
		for node := range granted {
			updates = append(updates, relate("TOUCH", node, "viewer", "user", who))
		}
	}
	for some := range slices.Chunk(updates, 500) {
		if err := s.write(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func spiceObject(kind, id string) object { return object{"objectType": kind, "objectId": id} }

func relate(operation, node, relation, kind, id string) object {
	return object{"operation": "OPERATION_" + operation, "relationship": object{"resource": spiceObject("node", node), "relation": relation,
		"subject": object{"object": spiceObject(kind, id)}}}
}

func (s *spiceDB) write(ctx context.Context, updates []object) error {
	return s.api.post(ctx, "/v1/relationships/write", object{"updates": updates}, &struct{}{})
}

// view is what all questions ask about somebody.
func view(who string) object {
	return object{"consistency": object{"fullyConsistent": true}, "permission": "view", "subject": object{"object": spiceObject("user", who)}}
}

func (s *spiceDB) check(ctx context.Context, who, node string) (bool, error) {
	var answer struct{ Permissionship string }
	in := view(who)
	in["resource"] = spiceObject("node", node)
	err := s.api.post(ctx, "/v1/permissions/check", in, &answer)
	return answer.Permissionship == "PERMISSIONSHIP_HAS_PERMISSION", err
}

func (s *spiceDB) below(ctx context.Context, who, _ string) ([]string, error) {
	in := view(who)
	in["resourceObjectType"] = "node"
	body, err := s.api.send(ctx, "/v1/permissions/resources", in)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var ids []string
	for stream := json.NewDecoder(body); ; {
		var found struct {
			Result struct{ ResourceObjectID string }
			Error  *struct{ Message string }
		}
		switch err := stream.Decode(&found); {
		case err == io.EOF:
			return ids, nil
		case err != nil:
			return nil, err
		case found.Error != nil:
			return nil, errors.New(found.Error.Message)
		}
		ids = append(ids, found.Result.ResourceObjectID)
	}
}

func (s *spiceDB) move(ctx context.Context, v move) error {
	return s.write(ctx, []object{relate("DELETE", v.node, "parent", "node", v.from), relate("TOUCH", v.node, "parent", "node", v.to)})
}
