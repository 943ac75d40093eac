// Package trial counts what tests try and lose: they run in small with the other tests, and of full size with make torture, which puts what they report into one table.
package trial

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The environment says how much to try, and where the rows go.
const (
	// ShareVariable is what part of the full sizes to run, 1: all. Without it tests run in small, with wide limits.
	ShareVariable = "NANORPC_TORTURE"
	// RowsVariable names the file to which each row is added as a line of JSON, by whatever program, of whatever language.
	RowsVariable = "NANORPC_TORTURE_ROWS"
)

// Share returns what part of the full sizes to run, or 0 for the small ones.
func Share() float64 {
	share, _ := parseShare()
	return share
}

func parseShare() (float64, error) {
	text := os.Getenv(ShareVariable)
	if text == "" {
		return 0, nil
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || share <= 0 {
		return 0, fmt.Errorf("%s=%s: use a number above 0, 1 for the full sizes", ShareVariable, text)
	}
	return share, nil
}

// Size returns how many of a row's things to try: its share, or the small number.
func Size(full, small int) int {
	share := Share()
	if share == 0 {
		return small
	}
	return max(int(float64(full)*share), 1)
}

// Row is what comes of a test.
type Row struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`  // what there are of it
	Full    int      `json:"full"`  // how many in full size
	Tried   int      `json:"tried"` // how many there have been
	Lost    int      `json:"lost"`  // how many of them have gone wrong
	Failed  bool     `json:"failed"`
	Skipped bool     `json:"skipped"`
	Times   *Times   `json:"times,omitempty"`
	Notes   []string `json:"notes"`
	Seconds float64  `json:"seconds"`

	test    testing.TB
	started time.Time
	mu      sync.Mutex
}

// Times are those that a row asks for, in ms.
type Times struct {
	Of    string  `json:"of"`
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// Begin begins a row, of which full are the full size. It is reported when the test has ended. Rows are not tried in parallel.
func Begin(t testing.TB, name, what string, full int) *Row {
	t.Helper()
	if _, err := parseShare(); err != nil {
		t.Fatal(err)
	}
	r := &Row{Name: name, What: what, Full: full, Notes: []string{}, test: t, started: time.Now()}
	t.Cleanup(func() {
		r.Seconds, r.Failed, r.Skipped = time.Since(r.started).Seconds(), t.Failed(), t.Skipped()
		if err := r.report(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Lose counts what has gone wrong, and fails the test. It is safe for concurrent use.
func (r *Row) Lose(format string, values ...any) {
	r.test.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Lost++; r.Lost <= 20 {
		r.test.Errorf(format, values...)
	}
}

// Note adds to the report what is no number of the row's.
func (r *Row) Note(format string, values ...any) {
	r.test.Helper()
	r.test.Logf(format, values...)
	r.Notes = append(r.Notes, fmt.Sprintf(format, values...))
}

// Try counts n that have been tried of so many, and shows it while the full sizes run: in one line on a terminal, else in ten. It is safe for concurrent use.
func (r *Row) Try(n int, of int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.Tried
	r.Tried += n
	if Share() == 0 {
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

// Run runs a try of so many as a subtest. It is lost if that fails, and not counted if it is skipped.
func (r *Row) Run(t *testing.T, name string, of int, try func(t *testing.T)) {
	t.Helper()
	skipped := false
	held := t.Run(name, func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		try(t)
	})
	if !held {
		r.mu.Lock()
		r.Lost++
		r.mu.Unlock()
	}
	if !skipped {
		r.Try(1, of)
	}
}

// Took reports times, and fails the test if their p99 or maximum are beyond the limits: in small both limits are wide, and there is no p99 of fewer than a hundred.
func (r *Row) Took(of string, all []time.Duration, p99, most time.Duration) {
	r.test.Helper()
	if len(all) == 0 {
		r.test.Errorf("%s: there is none", of)
		return
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(int(q*float64(len(all))), len(all)-1)] }
	r.Times = &Times{Of: of, Count: len(all), P50: ms(at(0.5)), P99: ms(at(0.99)), Max: ms(at(1))}
	r.test.Logf("%s: p50 %v, p99 %v, max %v of %d", of, at(0.5), at(0.99), at(1), len(all))
	if Share() == 0 {
		most = 10 * time.Second
	}
	if Share() == 0 || len(all) < 100 {
		p99 = most
	}
	if at(0.99) > p99 || at(1) > most {
		r.test.Errorf("%s: p99 %v, max %v: more than %v, %v", of, at(0.99), at(1), p99, most)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// report adds the row to the file of rows. Without one it shows the row, if it is not a small one.
func (r *Row) report() error {
	path := os.Getenv(RowsVariable)
	if path == "" {
		if Share() == 0 {
			return nil
		}
		return Print(os.Stderr, []*Row{r})
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	return err
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
