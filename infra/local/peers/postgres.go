package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// postgres starts a PostgreSQL of its own, with an empty database, and returns where it is. Debian's package is installed when
// there is none.
func (m *machine) postgres(ctx context.Context) (uri string, err error) {
	programs, err := postgresPrograms(ctx)
	if err != nil {
		return "", err
	}
	// It refuses to run as root.
	var as *user.User
	if os.Getuid() == 0 {
		if as, err = user.Lookup("postgres"); err != nil {
			return "", absent("it does not run as root, and %w", err)
		}
	}
	data := filepath.Join(m.temp, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	if as != nil {
		uid, _ := strconv.Atoi(as.Uid)
		gid, _ := strconv.Atoi(as.Gid)
		if err := os.Chown(data, uid, gid); err != nil {
			return "", err
		}
	}
	initdb := filepath.Join(programs, "initdb")
	if err := m.do(ctx, as, initdb, "-D", data, "-U", "peers", "--auth=trust", "-E", "UTF8", "--locale=C"); err != nil {
		return "", err
	}
	at, err := address()
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return "", err
	}
	uri = "postgres://peers@" + at + "/postgres?sslmode=disable"
	ready := func() error {
		c, err := pgx.Connect(ctx, uri)
		if err != nil {
			return err
		}
		return c.Close(ctx)
	}
	return uri, m.run(ctx, as, ready, filepath.Join(programs, "postgres"), "-D", data, "-c", "listen_addresses="+host, "-c", "port="+port,
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "synchronous_commit=off")
}

// postgresPrograms is the folder with PostgreSQL's programs, which Debian does not put on the PATH.
func postgresPrograms(ctx context.Context) (string, error) {
	find := func() string {
		if at, err := exec.LookPath("initdb"); err == nil {
			return filepath.Dir(at)
		}
		if at, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(at) > 0 {
			return filepath.Dir(at[len(at)-1])
		}
		return ""
	}
	if at := find(); at != "" {
		return at, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return "", absent("install PostgreSQL with its contrib modules (Debian: apt-get install postgresql)")
	}
	fmt.Fprintln(os.Stderr, "installing PostgreSQL with apt-get, once")
	install := exec.CommandContext(ctx, "sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql")
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := install.CombinedOutput(); err != nil {
		return "", absent("apt-get: %w\n%s", err, out)
	}
	if at := find(); at != "" {
		return at, nil
	}
	return "", absent("apt-get has installed no initdb")
}

// ltree holds the tree as materialized paths.
type ltree struct{ pool *pgxpool.Pool }

func startPostgres(ctx context.Context, m *machine) (peer, error) {
	uri, err := m.postgres(ctx)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	m.closers = append(m.closers, pool.Close)
	return &ltree{pool}, nil
}

const ltreeSchema = `
create extension ltree;
create table node (id text primary key, parent text, name text not null, customer bool not null, path ltree not null);
create table granted (who text, node text, primary key (who, node));
create index on node using gist (path);
create index on node (parent, customer, name, id);`

func (l *ltree) load(ctx context.Context, w *world) error {
	if _, err := l.pool.Exec(ctx, ltreeSchema); err != nil {
		return err
	}
	paths := map[ident.Node]string{w.root.ID: string(w.root.ID)}
	batch := new(pgx.Batch)
	const insert = "insert into node (id, parent, name, customer, path) values ($1, $2, $3, $4, $5::text::ltree)"
	batch.Queue(insert, w.root.ID, nil, w.root.Name, false, paths[w.root.ID])
	for _, n := range w.nodes {
		paths[n.ID] = paths[n.Parent] + "." + string(n.ID)
		batch.Queue(insert, n.ID, n.Parent, n.Name, n.Kind() == hierarchy.Customer, paths[n.ID])
	}
	for who, granted := range w.grants {
		for node := range granted {
			batch.Queue("insert into granted (who, node) values ($1, $2)", who, node)
		}
	}
	batch.Queue("analyze")
	return l.pool.SendBatch(ctx, batch).Close()
}

// sees is whether $1 has a grant at n or above it.
const sees = `exists (select from granted g join node a on a.id = g.node where g.who = $1 and n.path <@ a.path)`

func (l *ltree) check(ctx context.Context, who, node string) (bool, error) {
	var name string
	err := l.pool.QueryRow(ctx, "select name from node n where id = $2 and "+sees, who, node).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (l *ltree) children(ctx context.Context, who, node string) ([]string, error) {
	return l.ids(ctx, `select c.id, c.name from node n join node c on c.parent = n.id and c.customer
		where n.id = $2 and `+sees+` order by c.name, c.id limit $3`, who, node, pageSize)
}

func (l *ltree) below(ctx context.Context, who, node string) ([]string, error) {
	return l.ids(ctx, `select c.id, c.name from node n join node c on c.path <@ n.path where n.id = $2 and `+sees, who, node)
}

func (l *ltree) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := l.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (id string, err error) {
		var name string
		return id, row.Scan(&id, &name)
	})
}

// move writes the paths of all that is below. One move at a time: two could make a cycle otherwise.
func (l *ltree) move(ctx context.Context, v move) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(1)"); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `with old as (select path from node where id = $1),
				new as (select path from node where id = $2 and not path <@ (select path from old))
			update node n set parent = case when n.id = $1 then $2 else n.parent end,
				path = new.path || subpath(n.path, nlevel(old.path) - 1)
			from old, new where n.path <@ old.path`, v.node, v.to)
		if err == nil && done.RowsAffected() == 0 {
			return errors.New("a move into itself")
		}
		return err
	})
}
