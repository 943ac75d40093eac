package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Read reads rows, one JSON object after the other.
func Read(r io.Reader) ([]*Row, error) {
	rows := []*Row{}
	for decoder := json.NewDecoder(r); ; {
		row := &Row{}
		err := decoder.Decode(row)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}

// Print prints rows as a table, and below it their notes.
func Print(w io.Writer, rows []*Row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tfull size\ttried\tlost\ttimes\tp50 ms\tp99 ms\tmax ms\ts\t")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%d\t%d %s\t%d\t", r.Name, r.Full, r.Tried, r.What, r.Lost)
		if t := r.Times; t != nil {
			fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.2f\t", t.Of, t.P50, t.P99, t.Max)
		} else {
			fmt.Fprint(table, strings.Repeat("\t", 4))
		}
		outcome := ""
		switch {
		case r.Failed:
			outcome = "failed"
		case r.Skipped:
			outcome = "skipped"
		}
		fmt.Fprintf(table, "%.0f\t%s\n", r.Seconds, outcome)
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
