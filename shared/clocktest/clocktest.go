// Package clocktest has the clock of tests. The environment variable TEST_WORLD says when the world of the tests begins, so that a test
// which passes only today, or only not at the end of a day, is found before that day comes:
//
//	(unset), today         at the present moment
//	-400d, 30d             so many days before or after it
//	new-year               on 31 December of the present year at 23:59:59.9 UTC
//	2031-07-01T00:00:00Z   then (RFC 3339)
//
// From there on it runs as the machine's clock does. What stands still, or is moved, begins at Start and is the test's own.
package clocktest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// variable is the name of the environment variable.
const variable = "TEST_WORLD"

// loaded is read before any synctest bubble has a clock of its own.
var loaded = time.Now()

var start = sync.OnceValue(func() time.Time {
	t, err := begin(os.Getenv(variable), loaded)
	if err != nil {
		panic(err)
	}
	return t
})

// Start is when the world of the tests begins, the same during a run, in UTC and whole microseconds.
func Start() time.Time {
	os.Getenv(variable) // each time: go test must know of a package that it depends on the world, to take no other world's result for it
	return start()
}

// Now is a clock that begins at Start. In a synctest bubble it runs with the bubble's clock, not from Start.
func Now() time.Time { return time.Now().Add(Start().Sub(loaded)).UTC() }

// Next is the first moment after t at which another period (a minute, a day) begins, in UTC.
func Next(t time.Time, period time.Duration) time.Time { return t.UTC().Truncate(period).Add(period) }

// begin is when a world begins, seen from the present moment.
func begin(world string, now time.Time) (time.Time, error) {
	now = now.UTC().Truncate(time.Microsecond)
	switch world {
	case "", "today":
		return now, nil
	case "new-year":
		return time.Date(now.Year(), time.December, 31, 23, 59, 59, int(900*time.Millisecond), time.UTC), nil
	}
	if days, ok := strings.CutSuffix(world, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			return now.AddDate(0, 0, n), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, world); err == nil {
		return t.UTC().Truncate(time.Microsecond), nil
	}
	return time.Time{}, fmt.Errorf("%s=%s: want today, new-year, a number of days (-400d), or a time (2031-07-01T00:00:00Z)", variable, world)
}
