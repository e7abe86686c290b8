// Package wiring is how a function begins that works on the table.
package wiring

import (
	"log/slog"
	"os"

	"example.com/partnertree/shared/setting"
	"example.com/partnertree/shared/table"
)

// Table opens the table that TABLE_NAME names, and the function's log. It makes no call. Without the name it says so in the
// log and ends the process.
func Table() (*table.Table, *slog.Logger) {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	t, err := table.Open(os.Getenv(setting.Table))
	if err != nil {
		log.Error("start", "cause", err.Error())
		os.Exit(1)
	}
	return t, log
}
