// Report prints what tests have reported of themselves (see package trial) as one table, and writes it as JSON. It fails if there is nothing, or something has failed.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"nanorpc/go/internal/trial"
)

func main() {
	from := flag.String("rows", "", "the `file` to which the tests have added their rows")
	to := flag.String("json", "", "the `file` to write")
	flag.Parse()
	if err := report(*from, *to, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

func report(from, to string, w io.Writer) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := trial.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if len(rows) == 0 {
		return errors.New("nothing has been tried")
	}
	text, err := json.MarshalIndent(map[string]any{"share": trial.Share(), "rows": rows}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, append(text, '\n'), 0o666); err != nil {
		return err
	}
	if err := trial.Print(w, rows); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Failed {
			return fmt.Errorf("%s has failed", r.Name)
		}
	}
	return nil
}
