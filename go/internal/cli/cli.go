// Package cli is what the commands' command lines have in common.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// DirectoryUsage describes the flag -dir.
const DirectoryUsage = "`directory` of the service's socket (default $NANORPC_DIR, else\n$XDG_RUNTIME_DIR/nanorpc, else /tmp/nanorpc-<uid>)"

const (
	indent = "      "
	width  = 80
)

// Parse parses the command line. For -h it prints before, the flags and after on out, and returns flag.ErrHelp. It prints nothing else: the
// caller reports errors.
func Parse(flags *flag.FlagSet, args []string, out io.Writer, before, after string) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, before)
		printFlags(out, flags)
		fmt.Fprint(out, after)
	}
	return err
}

// printFlags is flag.PrintDefaults in 80 columns. Lines of a flag's description that are longer are the caller's to break.
func printFlags(out io.Writer, flags *flag.FlagSet) {
	flags.VisitAll(func(f *flag.Flag) {
		argument, text := flag.UnquoteUsage(f)
		lines := strings.Split(text, "\n")
		if standard := "(default " + f.DefValue + ")"; f.DefValue != "" && f.DefValue != "0" && f.DefValue != "false" {
			last := &lines[len(lines)-1]
			if len(indent)+len(*last)+1+len(standard) <= width {
				*last += " " + standard
			} else {
				lines = append(lines, standard)
			}
		}
		fmt.Fprintln(out, strings.TrimRight("  -"+f.Name+" "+argument, " "))
		for _, line := range lines {
			fmt.Fprintln(out, indent+line)
		}
	})
}
