package cli

import (
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	flags := flag.NewFlagSet("x", flag.ContinueOnError)
	flags.String("name", "demo", "the `service`")
	flags.Bool("pin", false, "one line\nand another")
	flags.String("long", "default", strings.Repeat("word ", 13)+"end")
	var out strings.Builder
	if err := Parse(flags, []string{"-h"}, &out, "before\n", "after\n"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	want := `before
  -long string
      ` + strings.Repeat("word ", 13) + `end
      (default default)
  -name service
      the service (default demo)
  -pin
      one line
      and another
after
`
	if out.String() != want {
		t.Errorf("got\n%s", &out)
	}
}

func TestErrorsArePrintedByTheCaller(t *testing.T) {
	flags := flag.NewFlagSet("x", flag.ContinueOnError)
	var out strings.Builder
	if err := Parse(flags, []string{"-what"}, &out, "before", "after"); err == nil || out.Len() > 0 {
		t.Errorf("error %v, printed %q", err, &out)
	}
}
