package clocktest

import (
	"testing"
	"time"
)

func TestAWorldBegins(t *testing.T) {
	now := time.Date(2026, 11, 30, 23, 47, 10, 123_456_789, time.FixedZone("", -3600)) // 1 December in UTC
	for world, want := range map[string]string{
		"":                          "2026-12-01T00:47:10.123456Z",
		"today":                     "2026-12-01T00:47:10.123456Z",
		"-400d":                     "2025-10-27T00:47:10.123456Z",
		"31d":                       "2027-01-01T00:47:10.123456Z",
		"new-year":                  "2026-12-31T23:59:59.9Z",
		"2031-07-01T00:00:00Z":      "2031-07-01T00:00:00Z",
		"2031-07-01T00:00:00+02:00": "2031-06-30T22:00:00Z",
	} {
		if got, err := begin(world, now); err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q begins at %s, %v; want %s", world, got.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, world := range []string{"yesterday", "d", "1.5d", "-400", "2031-07-01", "Today", " today"} {
		if got, err := begin(world, now); err == nil {
			t.Errorf("%q begins at %s", world, got)
		}
	}
}

func TestPeriodsBeginInUTC(t *testing.T) {
	late := time.Date(2026, 12, 31, 22, 59, 59, 999, time.FixedZone("", -3600))
	for period, want := range map[time.Duration]string{24 * time.Hour: "2027-01-01T00:00:00Z", time.Minute: "2027-01-01T00:00:00Z"} {
		if got := Next(late, period).Format(time.RFC3339Nano); got != want {
			t.Errorf("%s, and then %s", period, got)
		}
	}
	if day := Next(late, 24*time.Hour); Next(day, 24*time.Hour) != day.Add(24*time.Hour) {
		t.Errorf("after the beginning of a day the same one begins")
	}
}

func TestTheClockRunsFromTheStart(t *testing.T) {
	began, before := Start(), Now()
	time.Sleep(20 * time.Millisecond)
	after := Now()
	if ran := after.Sub(before); ran < 20*time.Millisecond || ran > 20*time.Second {
		t.Errorf("it ran for %s", ran)
	}
	if !Start().Equal(began) || before.Before(began) || before.Sub(began) > 10*time.Minute || before.Location() != time.UTC {
		t.Errorf("it began at %s, and begins at %s; it is %s", began, Start(), before)
	}
}
