package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// OpenFGA, as it is built from the Go module proxy.
const (
	openFGAModule  = "github.com/openfga/openfga"
	openFGAVersion = "v1.22.1"
)

// openFGA holds a tuple for each node's parent and for each grant.
type openFGA struct {
	api          *rest
	store, model string
}

func startOpenFGA(ctx context.Context, m *machine) (peer, error) { return runOpenFGA(ctx, m) }

func startOpenFGAOnPostgres(ctx context.Context, m *machine) (peer, error) {
	binary, err := m.build(ctx, openFGAModule, openFGAVersion, "./cmd/openfga")
	if err != nil {
		return nil, err
	}
	uri, err := m.postgres(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.do(ctx, nil, binary, "migrate", "--datastore-engine", "postgres", "--datastore-uri", uri); err != nil {
		return nil, err
	}
	return runOpenFGA(ctx, m, "--datastore-engine", "postgres", "--datastore-uri", uri)
}

func runOpenFGA(ctx context.Context, m *machine, args ...string) (peer, error) {
	binary, err := m.build(ctx, openFGAModule, openFGAVersion, "./cmd/openfga")
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
	api := newREST(http, "")
	// Answers are to be whole: by default a list ends after 1,000 ids or three seconds.
	args = append([]string{"run", "--http-addr", http, "--grpc-addr", grpc, "--log-level", "error", "--playground-enabled=false",
		"--metrics-enabled=false", "--listObjects-max-results", "0", "--listObjects-deadline", "60s", "--request-timeout", "60s",
		"--http-upstream-timeout", "60s"}, args...)
	return &openFGA{api: api}, m.run(ctx, nil, api.healthy("/healthz"), binary, args...)
}

const openFGAModel = `{"schema_version": "1.1", "type_definitions": [{"type": "user"}, {"type": "node",
	"relations": {"parent": {"this": {}}, "viewer": {"union": {"child": [{"this": {}},
		{"tupleToUserset": {"tupleset": {"relation": "parent"}, "computedUserset": {"relation": "viewer"}}}]}}},
	"metadata": {"relations": {"parent": {"directly_related_user_types": [{"type": "node"}]},
		"viewer": {"directly_related_user_types": [{"type": "user"}]}}}}]}`

func (o *openFGA) load(ctx context.Context, w *world) error {
	var store struct{ ID string }
	if err := o.api.post(ctx, "/stores", object{"name": "peers"}, &store); err != nil {
		return err
	}
	o.store = "/stores/" + store.ID
	var model struct {
		ID string `json:"authorization_model_id"`
	}
	if err := o.api.post(ctx, o.store+"/authorization-models", json.RawMessage(openFGAModel), &model); err != nil {
		return err
	}
	o.model = model.ID
	var tuples []object
	for _, n := range w.nodes {
		tuples = append(tuples, parentTuple(string(n.ID), string(n.Parent)))
	}
	for who, granted := range w.grants {
		for node := range granted {
			tuples = append(tuples, object{"user": "user:" + who, "relation": "viewer", "object": "node:" + node})
		}
	}
	for some := range slices.Chunk(tuples, 100) {
		if err := o.write(ctx, object{"writes": object{"tuple_keys": some}}); err != nil {
			return err
		}
	}
	return nil
}

func parentTuple(node, parent string) object {
	return object{"user": "node:" + parent, "relation": "parent", "object": "node:" + node}
}

func (o *openFGA) write(ctx context.Context, in object) error {
	in["authorization_model_id"] = o.model
	return o.api.post(ctx, o.store+"/write", in, &struct{}{})
}

func (o *openFGA) check(ctx context.Context, who, node string) (bool, error) {
	var answer struct{ Allowed bool }
	err := o.api.post(ctx, o.store+"/check", object{"authorization_model_id": o.model, "consistency": "HIGHER_CONSISTENCY",
		"tuple_key": object{"user": "user:" + who, "relation": "viewer", "object": "node:" + node}}, &answer)
	return answer.Allowed, err
}

func (o *openFGA) below(ctx context.Context, who, _ string) ([]string, error) {
	var answer struct{ Objects []string }
	err := o.api.post(ctx, o.store+"/list-objects", object{"authorization_model_id": o.model, "consistency": "HIGHER_CONSISTENCY",
		"user": "user:" + who, "relation": "viewer", "type": "node"}, &answer)
	for i := range answer.Objects {
		answer.Objects[i] = strings.TrimPrefix(answer.Objects[i], "node:")
	}
	return answer.Objects, err
}

func (o *openFGA) move(ctx context.Context, v move) error {
	return o.write(ctx, object{"writes": object{"tuple_keys": []object{parentTuple(v.node, v.to)}},
		"deletes": object{"tuple_keys": []object{parentTuple(v.node, v.from)}}})
}
