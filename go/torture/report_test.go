package torture

import (
	"testing"
	"time"

	"nanorpc/go/internal/trial"
)

// row is trial.Row by short names.
type row struct {
	*trial.Row
	test testing.TB
}

// begin begins a row of the report. Rows are not tried in parallel.
func begin(t testing.TB, name, what string, full int) *row {
	t.Helper()
	return &row{trial.Begin(t, name, what, full), t}
}

// size returns how many of a row's things to try: its share, or the small number.
func size(full, small int) int { return trial.Size(full, small) }

func (r *row) lose(format string, values ...any) {
	r.test.Helper()
	r.Lose(format, values...)
}

func (r *row) note(format string, values ...any) {
	r.test.Helper()
	r.Note(format, values...)
}

func (r *row) tried(n int, of int) { r.Try(n, of) }

func (r *row) took(of string, all []time.Duration, p99, most time.Duration) {
	r.test.Helper()
	r.Took(of, all, p99, most)
}
