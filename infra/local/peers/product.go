package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table"
	"example.com/partnertree/shared/table/tabletest"
)

// partnertree is the product below its HTTP side: package directory on the table.
type partnertree struct {
	client *dynamodb.Client
	store  *table.Table
	dir    *directory.Directory
	keys   map[string]ident.Key
	admin  directory.Caller // of the root: who moves

	mu      sync.Mutex
	pending []ident.Job // moves to be settled
}

const tableName = "peers"

func startProduct(ctx context.Context, m *machine) (peer, error) {
	jars, err := tabletest.Install()
	if err != nil {
		return nil, err
	}
	at, err := address()
	if err != nil {
		return nil, err
	}
	api := newREST(at, "")
	_, port, _ := strings.Cut(at, ":")
	ready := func() error {
		resp, err := http.Get(api.base)
		if err != nil {
			return err
		}
		return resp.Body.Close() // it refuses this request: it is there
	}
	if err := m.run(ctx, nil, ready, "java", "-cp", filepath.Join(jars, "*"), "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
		"-inMemory", "-disableTelemetry", "-port", port); err != nil {
		return nil, err
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &api.base, HTTPClient: api.client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	}, table.Once)
	if _, err := client.CreateTable(ctx, table.Schema(tableName)); err != nil {
		return nil, err
	}
	store := table.New(client, tableName)
	return &partnertree{client: client, store: store, dir: directory.New(store, time.Now), keys: map[string]ident.Key{}}, nil
}

func (p *partnertree) load(ctx context.Context, w *world) error {
	admin := access.Principal{ID: ident.NewClient(), Name: "Admin", Home: w.root.ID, Version: 1, CursorKey: make([]byte, 32),
		Grants: map[ident.Node]access.Role{w.root.ID: access.Admin}, Secrets: []access.Secret{{ID: ident.NewKey(), Hash: make([]byte, 32)}}}
	p.admin = directory.Caller{Principal: admin.ID, Key: admin.Secrets[0].ID}
	steps := []directory.Step{directory.AddTree{Root: w.root.ID}, directory.AddNode{Node: *w.root}, directory.Put{Now: &admin, Else: directory.ErrExists}}
	for _, n := range w.nodes {
		steps = append(steps, directory.AddNode{Node: *n})
	}
	for _, c := range w.clients {
		p.keys[string(c.ID)] = c.Secrets[0].ID
		steps = append(steps, directory.Put{Now: &c, Else: directory.ErrExists})
	}
	return tabletest.Fill(ctx, p.client, tableName, steps)
}

func (p *partnertree) caller(who string) directory.Caller {
	return directory.Caller{Principal: ident.Principal(who), Key: p.keys[who]}
}

func (p *partnertree) check(ctx context.Context, who, node string) (bool, error) {
	_, err := p.dir.Get(ctx, p.caller(who), ident.Node(node))
	if refused(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func refused(err error, kinds ...*fault.Type) bool {
	var f *fault.Error
	if errors.As(err, &f) {
		for _, k := range kinds {
			if f.Type == k {
				return true
			}
		}
	}
	return false
}

func (p *partnertree) children(ctx context.Context, who, node string) ([]string, error) {
	list, err := p.dir.Children(ctx, p.caller(who), ident.Node(node), hierarchy.Customer, directory.Paging{Limit: pageSize})
	if refused(err, fault.NotFound) {
		return nil, nil
	}
	var ids []string
	for _, n := range list.Items {
		ids = append(ids, string(n.ID))
	}
	return ids, err
}

func (p *partnertree) below(ctx context.Context, who, node string) ([]string, error) {
	ids := []string{node}
	for cursor := ""; ; {
		list, err := p.dir.Descendants(ctx, p.caller(who), ident.Node(node), "", directory.Paging{Cursor: cursor, Limit: directory.MaxLimit})
		if err != nil {
			return nil, err
		}
		for _, n := range list.Items {
			ids = append(ids, string(n.ID))
		}
		if cursor = list.Next; cursor == "" {
			return ids, nil
		}
	}
}

// move repeats what is refused because others move at the same time, as a client would.
func (p *partnertree) move(ctx context.Context, v move) error {
	for {
		done, err := p.dir.Move(ctx, p.admin, ident.Node(v.node), ident.Node(v.to))
		switch {
		case refused(err, fault.Conflict, fault.Busy):
			continue
		case err != nil:
			return err
		case done.Job == "":
			return nil // a move that was reported as failed, and was made
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pending = append(p.pending, done.Job)
		return nil
	}
}

// settle does not wait for the grace: nobody reads meanwhile.
func (p *partnertree) settle(ctx context.Context) (int, error) {
	nodes := 0
	for _, id := range p.pending {
		for result := (directory.SettleResult{}); !result.Done; {
			var err error
			if result, err = p.dir.Settle(ctx, id, result.Resume, time.Minute); err != nil {
				return 0, err
			}
			nodes += int(result.Nodes)
		}
	}
	for _, id := range p.pending {
		if err := p.dir.Retire(ctx, id); err != nil {
			return 0, err
		}
	}
	p.pending = nil
	return nodes, nil
}

// read reads what the questions are about.
func (p *partnertree) read(ctx context.Context, questions []pair) (func(i int) bool, error) {
	nodes, clients := make([]*hierarchy.Node, len(questions)), make([]*access.Principal, len(questions))
	var tree hierarchy.TreeState
	for i, q := range questions {
		node, client := ident.Node(q.node), ident.Principal(q.who)
		got, err := p.store.Read(ctx, directory.Want{Nodes: []ident.Node{node}, Records: access.Principals.Refs(client)})
		if err != nil {
			return nil, err
		}
		nodes[i], clients[i], tree = got.Nodes[node], access.Principals.In(got.Records, client), got.Tree
		if nodes[i] == nil || clients[i] == nil {
			return nil, fmt.Errorf("%s or %s is not there", node, client)
		}
	}
	return func(i int) bool {
		d := access.Decide(clients[i], &tree, nodes[i], access.Read)
		return d.Allowed()
	}, nil
}
