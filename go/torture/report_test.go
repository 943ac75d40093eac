package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/failpoint"
)

// row is what came of a test.
type row struct {
	Name    string   `json:"name"`
	Full    int      `json:"full"`  // how many of what there are in full size
	Tried   int      `json:"tried"` // how many there have been
	What    string   `json:"what"`
	Lost    int      `json:"lost"` // how many of them have gone wrong
	Times   *times   `json:"times,omitempty"`
	Notes   []string `json:"notes"`
	Seconds float64  `json:"seconds"`

	test    testing.TB
	started time.Time
	mu      sync.Mutex
}

// times are those that a row asks for, in ms.
type times struct {
	Of    string  `json:"of"`
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

var rows []*row

// begin begins a row of the report. Rows are not tried in parallel.
func begin(t testing.TB, name, what string, full int) *row {
	r := &row{Name: name, What: what, Full: full, Notes: []string{}, test: t, started: time.Now()}
	rows = append(rows, r)
	t.Cleanup(func() { r.Seconds = time.Since(r.started).Seconds() })
	return r
}

// lose counts what has gone wrong, and fails the test. It is safe for concurrent use.
func (r *row) lose(format string, values ...any) {
	r.test.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Lost++; r.Lost <= 20 {
		r.test.Errorf(format, values...)
	}
}

// note adds to the report what is no number of the row's.
func (r *row) note(format string, values ...any) {
	r.test.Helper()
	r.test.Logf(format, values...)
	r.Notes = append(r.Notes, fmt.Sprintf(format, values...))
}

// tried counts, and shows it while the full sizes run: in one line on a terminal, else in ten.
func (r *row) tried(n int, of int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.Tried
	r.Tried += n
	if *share == 0 {
		return
	}
	line := fmt.Sprintf("%s: %d of %d %s, %d lost, %.0f s", r.Name, r.Tried, of, r.What, r.Lost, time.Since(r.started).Seconds())
	switch {
	case isTerminal(os.Stderr) && r.Tried < of:
		fmt.Fprint(os.Stderr, "\r\x1b[K", line)
	case isTerminal(os.Stderr):
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	case r.Tried*10/of != before*10/of:
		fmt.Fprintln(os.Stderr, line)
	}
}

// took reports times, and fails the test if their p99 or maximum are beyond the limits. In small the limit of both is wide: a p99 of few is a maximum.
func (r *row) took(of string, all []time.Duration, p99, most time.Duration) {
	r.test.Helper()
	if len(all) == 0 {
		r.test.Errorf("%s: there is none", of)
		return
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(int(q*float64(len(all))), len(all)-1)] }
	r.Times = &times{Of: of, Count: len(all), P50: ms(at(0.5)), P99: ms(at(0.99)), Max: ms(at(1))}
	r.test.Logf("%s: p50 %v, p99 %v, max %v of %d", of, at(0.5), at(0.99), at(1), len(all))
	if *share == 0 {
		p99, most = 10*time.Second, 10*time.Second
	}
	if at(0.99) > p99 || at(1) > most {
		r.test.Errorf("%s: p99 %v, max %v: more than %v, %v", of, at(0.99), at(1), p99, most)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// report prints what has been tried and lost, if that is of the full sizes, and writes the file that is asked for.
func report(w io.Writer) error {
	if *jsonFile != "" {
		text, err := json.MarshalIndent(map[string]any{"share": *share, "failpoints": failpoint.Enabled, "rows": rows}, "", "  ")
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(*jsonFile), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(*jsonFile, append(text, '\n'), 0o666); err != nil {
			return err
		}
	}
	if *share == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tfull size\ttried\tlost\ttimes\tp50 ms\tp99 ms\tmax ms\ts")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%d\t%d %s\t%d\t", r.Name, r.Full, r.Tried, r.What, r.Lost)
		if t := r.Times; t != nil {
			fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.2f\t", t.Of, t.P50, t.P99, t.Max)
		} else {
			fmt.Fprint(table, strings.Repeat("\t", 4))
		}
		fmt.Fprintf(table, "%.0f\n", r.Seconds)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		for _, note := range r.Notes {
			fmt.Fprintf(w, "%s: %s\n", r.Name, note)
		}
	}
	return nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
