package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanorpc/go/internal/trial"
)

func TestReport(t *testing.T) {
	t.Setenv(trial.ShareVariable, "0.5")
	dir := t.TempDir()
	from, to := filepath.Join(dir, "rows"), filepath.Join(dir, "table.json")
	for _, test := range []struct{ rows, want string }{
		{"", "nothing has been tried"},
		{`{"name":"one","what":"kills","full":2,"tried":1}` + "\n" + `{"name":"two"}`, ""},
		{`{"name":"one"}` + "\n" + `{"name":"two","failed":true}`, "two has failed"},
		{`{"name":"one"}` + "\n" + `{"na`, "row 2"},
	} {
		if err := os.WriteFile(from, []byte(test.rows), 0o600); err != nil {
			t.Fatal(err)
		}
		var table strings.Builder
		err := report(from, to, &table)
		if err != nil {
			if test.want == "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", test.rows, err)
			}
			continue
		}
		if test.want != "" || !strings.Contains(table.String(), "1 kills") {
			t.Errorf("%s: %s", test.rows, table.String())
		}
		var written struct {
			Share float64
			Rows  []trial.Row
		}
		text, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &written); err != nil || written.Share != 0.5 || len(written.Rows) != 2 {
			t.Errorf("%s, %v", text, err)
		}
	}
}
