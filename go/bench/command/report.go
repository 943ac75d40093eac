package command

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"nanorpc/go/bench"
)

// report prints results.
type report interface {
	// finished takes a case that has finished all its rounds.
	finished(bench.Result)
	// end takes all cases with at least one finished round, and returns the first error of printing.
	end([]bench.Result) error
}

// lineReport prints a JSON object for each case, as soon as it is finished.
type lineReport struct {
	out     io.Writer
	printed int
	err     error
}

func (l *lineReport) finished(r bench.Result) {
	if l.err != nil {
		return
	}
	l.printed++
	l.err = json.NewEncoder(l.out).Encode(r)
}

// end prints those that an interrupted run has not finished. Cases finish in the order of results.
func (l *lineReport) end(results []bench.Result) error {
	for _, r := range results[l.printed:] {
		l.finished(r)
	}
	return l.err
}

// reports are several, of the same results.
type reports []report

func (all reports) finished(r bench.Result) {
	for _, one := range all {
		one.finished(r)
	}
}

func (all reports) end(results []bench.Result) error {
	var errs []error
	for _, one := range all {
		errs = append(errs, one.end(results))
	}
	return errors.Join(errs...)
}

// tableReport prints a table at the end, as the ratios need all transports.
type tableReport struct {
	out    io.Writer
	config bench.Config
}

func (t *tableReport) finished(bench.Result) {}

func (t *tableReport) end(results []bench.Result) error {
	if len(results) == 0 {
		return nil
	}
	_, err := io.WriteString(t.out, t.render(results))
	return err
}

// baseline is the transport that the last column compares with.
const baseline = "uds"

func (t *tableReport) render(results []bench.Result) string {
	several := t.config.Clients > 1
	last := "mean"
	if several {
		last = "fair" // the mean says nothing new: the callers divided by calls/s
	}
	rows := [][]string{{"transport", "size", "p50", "low-high", "p99", "p99.9", last, "calls/s", "vs " + baseline}}
	base := make(map[int]float64)
	for _, r := range results {
		if r.Transport == baseline {
			base[r.SizeBytes] = r.P50NS
		}
	}
	for i, r := range results {
		if i > 0 && r.SizeBytes != results[i-1].SizeBytes {
			rows = append(rows, nil)
		}
		ratio := ""
		if b, ok := base[r.SizeBytes]; ok && r.Transport != baseline && r.P50NS > 0 {
			ratio = ratioText(b / r.P50NS)
		}
		last := timeText(r.MeanNS)
		if several {
			last = fmt.Sprintf("%.2f", r.FairShareLow)
		}
		rows = append(rows, []string{
			r.Transport, sizeText(r.SizeBytes), timeText(r.P50NS), rangeText(r.P50LowNS, r.P50HighNS, r.P50NS),
			timeText(r.P99NS), timeText(r.P999NS), last, countText(r.CallsPerS), ratio,
		})
	}
	return align(rows) + "\n" + t.legend(results) + "\n"
}

// legend says how the figures came about.
func (t *tableReport) legend(results []bench.Result) string {
	c := t.config
	rounds := func(a, b bench.Result) int { return cmp.Compare(a.Rounds, b.Rounds) }
	finished := plural(slices.MaxFunc(results, rounds).Rounds, "round")
	if least := slices.MinFunc(results, rounds).Rounds; least < slices.MaxFunc(results, rounds).Rounds {
		finished = fmt.Sprintf("%d to %s", least, finished)
	}
	length := (time.Duration(c.DurationMS) * time.Millisecond).String()
	if c.Calls > 0 {
		length = plural(int(c.Calls), "call")
	}
	callers := fmt.Sprintf("%d in flight, ", c.Inflight)
	if c.Clients > 1 {
		callers = fmt.Sprintf("%d clients, %d in flight in each; fair: the slowest's rate over the mean rate.\n", c.Clients, c.Inflight)
	}
	if c.Rate > 0 {
		callers += fmt.Sprintf("%s calls/s due, ", countText(c.Rate))
	}
	if c.Idle > 0 {
		callers += fmt.Sprintf("%d idle connections, ", c.Idle)
	}
	return fmt.Sprintf("%s%s of %s; reading the clock, %v, is in every time.", callers, finished, length, bench.ClockCost())
}

// align pads columns: the first to the left, the others to the right. An empty row stays empty.
func align(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + padding)
			} else {
				line.WriteString("  " + padding + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
