// Command peers asks the same questions about the same tree of the product and of others, in one run, and prints how long
// answers took. `make bench-peers` runs it; it is no part of `make test`.
//
// Method. The tree has 10,000 nodes on at most 10 levels and 1,000 principals with one to three grants; its shape, the questions
// and the moves come from a seed and are the same for all. One peer runs at a time. A question is asked by one caller, then by
// eight at a time, each of whom asks the next as soon as the last is answered: some time to warm up, then the time that is
// measured. A time is from before the request is made to after its answer is decoded. Every answer is compared with what is
// true, which a plain map knows, also between moves, and a wrong one ends the run.
//
//	check     may this principal see this node? About half of the answers are yes. The product and PostgreSQL also return the
//	          node. In process: the product's decision alone, on what was read before, 100 of them timed together
//	children  the first 50 customers right below a partner, by name, for somebody who may see them
//	below     all ids of what a principal with one grant sees: 50 to 500 nodes
//	move      a partner with 20 to 200 nodes below it gets another parent; and one with many more
//	settle    what the product still has to write after a move that is in effect, for each node below it; nobody waits for it
//
// All have to answer with what was written before: the product and PostgreSQL always do, OpenFGA is asked with
// HIGHER_CONSISTENCY, SpiceDB fully consistent. OpenFGA and SpiceDB hold relations and no nodes: they cannot list children by
// name, and their move is two tuples, without a look at who may do it, at cycles or depth. PostgreSQL's move looks at cycles; the
// product's looks at all of it and writes the event that tells of it.
//
// Not compared: a network, a disk, more than one machine. All run on this machine beside those who ask, and keep everything in
// memory (PostgreSQL: without waiting for its disk). Nobody is tuned: settings differ from the defaults only to keep answers whole,
// and to leave out disks, metrics and calls home. DynamoDB Local is a test double on SQLite: its times say nothing of DynamoDB's,
// where a read of a batch takes some milliseconds at any size of the table. The memory stores of OpenFGA and SpiceDB are meant for
// trials, so both run a second time on PostgreSQL.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// peer is one who answers.
type peer interface {
	load(ctx context.Context, w *world) error
	check(ctx context.Context, who, node string) (bool, error)
	below(ctx context.Context, who, node string) ([]string, error) // node: where who has its only grant
	move(ctx context.Context, v move) error
}

// lister is a peer that holds nodes, not only relations.
type lister interface {
	children(ctx context.Context, who, node string) ([]string, error)
}

// settler is a peer that has something left to do after a move. settle does it, for so many nodes.
type settler interface {
	settle(ctx context.Context) (int, error)
}

// decider is a peer that decides within this process, too. read reads what the questions are about; the answer answers the i-th of
// them, and does not read.
type decider interface {
	read(ctx context.Context, questions []pair) (decide func(i int) bool, err error)
}

// contestant is a way to start a peer. What was started is stopped by the machine.
type contestant struct {
	name  string
	start func(ctx context.Context, m *machine) (peer, error)
}

var contestants = []contestant{
	{"partnertree, DynamoDB Local", startProduct},
	{"OpenFGA, memory", startOpenFGA},
	{"OpenFGA on PostgreSQL", startOpenFGAOnPostgres},
	{"SpiceDB, memory", startSpiceDB},
	{"SpiceDB on PostgreSQL", startSpiceDBOnPostgres},
	{"PostgreSQL with ltree", startPostgres},
}

func main() {
	log.SetFlags(0)
	var o options
	flag.DurationVar(&o.warm, "warm", time.Second, "how long each question is asked before it is measured")
	flag.DurationVar(&o.measured, "measured", 3*time.Second, "how long each question is measured")
	flag.IntVar(&o.rounds, "rounds", 3, "how often all moves are made and taken back")
	seed := flag.Uint64("seed", 1, "of the tree and the questions")
	dir := flag.String("dir", ".local/peers", "where peers are installed")
	only := flag.String("only", "", "ask only those with this in their name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	asked := slices.DeleteFunc(slices.Clone(contestants), func(c contestant) bool { return !strings.Contains(c.name, *only) })
	if err := run(ctx, o, asked, *seed, *dir); err != nil {
		log.Fatal("peers: ", err)
	}
}

// run asks all of them. Others than the product may be missing on this machine, but not all.
func run(ctx context.Context, o options, asked []contestant, seed uint64, dir string) error {
	b := bench{options: o, world: newWorld(seed)}
	b.head()
	missing := 0
	for _, c := range asked {
		err := b.compete(ctx, c, dir)
		var absent *absentError
		switch {
		case errors.As(err, &absent):
			fmt.Printf("%s is not compared: %v\n", c.name, err)
			missing++
		case err != nil:
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if missing > 0 && missing >= len(asked)-1 {
		return errors.New("none of the others could be had: nothing was compared")
	}
	return nil
}
