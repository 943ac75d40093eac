package trial

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorder is a test that has failures and is none itself.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Failed() bool        { return len(r.failures) > 0 }
func (r *recorder) Skipped() bool       { return false }
func (r *recorder) Cleanup(f func())    { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(values ...any) {
	r.failures = append(r.failures, fmt.Sprint(values...))
}
func (r *recorder) Errorf(format string, values ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, values...))
}

func (r *recorder) end() {
	for _, f := range r.cleanups {
		f()
	}
}

func TestSize(t *testing.T) {
	for _, test := range []struct {
		share string
		want  int
	}{{"", 7}, {"1", 1000}, {"0.01", 10}, {"0.00001", 1}, {"2", 2000}} {
		t.Setenv(ShareVariable, test.share)
		if got := Size(1000, 7); got != test.want {
			t.Errorf("share %q: %d, want %d", test.share, got, test.want)
		}
	}
	for _, wrong := range []string{"all", "0", "-1"} {
		t.Setenv(ShareVariable, wrong)
		if _, err := parseShare(); err == nil || !strings.Contains(err.Error(), ShareVariable) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// What tests have counted is read from the file to which they have added it, and printed.
func TestRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows")
	t.Setenv(RowsVariable, path)
	t.Setenv(ShareVariable, "")
	good := &recorder{}
	r := Begin(good, "good", "kills", 100)
	r.Try(2, 3)
	r.Try(1, 3)
	r.Took("until it is over", []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond}, time.Microsecond, time.Microsecond)
	r.Note("%d notes", 1)
	good.end()
	bad := &recorder{}
	r = Begin(bad, "bad", "calls", 10)
	for i := range 30 {
		r.Try(1, 30)
		r.Lose("call %d", i)
	}
	bad.end()
	if len(good.failures) != 0 || len(bad.failures) != 20 {
		t.Errorf("%v, %v", good.failures, bad.failures)
	}

	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := Read(f)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if g := rows[0]; g.Tried != 3 || g.Lost != 0 || g.Failed || g.Full != 100 || *g.Times != (Times{"until it is over", 3, 2, 3, 3}) || g.Notes[0] != "1 notes" {
		t.Errorf("%+v, %+v", g, g.Times)
	}
	if b := rows[1]; b.Tried != 30 || b.Lost != 30 || !b.Failed || b.Times != nil {
		t.Errorf("%+v", b)
	}
	var table strings.Builder
	if err := Print(&table, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"100        3 kills", "30 calls  30", "failed", "good: 1 notes"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
}

// With a share the limits of times are those of the full size.
func TestLimits(t *testing.T) {
	t.Setenv(RowsVariable, filepath.Join(t.TempDir(), "rows"))
	t.Setenv(ShareVariable, "0.5")
	for _, limits := range []struct {
		count     int
		p99, most time.Duration
		failures  int
	}{{100, time.Second, time.Second, 0}, {100, time.Millisecond, time.Second, 1}, {99, time.Millisecond, time.Second, 0}, {99, time.Millisecond, time.Millisecond, 1}} {
		test := &recorder{}
		Begin(test, "times", "calls", 1).Took("all", slices.Repeat([]time.Duration{100 * time.Millisecond}, limits.count), limits.p99, limits.most)
		if len(test.failures) != limits.failures {
			t.Errorf("%+v: %v", limits, test.failures)
		}
	}
	none := &recorder{}
	if Begin(none, "times", "calls", 1).Took("none", nil, 1, 1); len(none.failures) != 1 {
		t.Error(none.failures)
	}
}

// A try that fails is lost; one that is skipped is not counted.
func TestRun(t *testing.T) {
	t.Setenv(RowsVariable, filepath.Join(t.TempDir(), "rows"))
	r := Begin(t, "runs", "times", 3)
	r.Run(t, "holds", 3, func(*testing.T) {})
	r.Run(t, "is skipped", 3, func(t *testing.T) { t.Skip("not here") })
	if r.Tried != 1 || r.Lost != 0 {
		t.Errorf("%d tried, %d lost", r.Tried, r.Lost)
	}
}
