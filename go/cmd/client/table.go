package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// columns is how many columns a print may take.
const columns = 80

// layOut returns rows as a table: the first column, names, to the left and shortened to what the others leave of the columns, those to the right, as numbers
// are.
func layOut(rows [][]string) string {
	names := 0
	for _, row := range rows {
		names = max(names, utf8.RuneCountInString(row[0]))
	}
	text := align(rows, names)
	first, _, _ := strings.Cut(text, "\n") // as long as the others
	if over := utf8.RuneCountInString(first) - columns; over > 0 {
		text = align(rows, max(names-over, 1))
	}
	return text
}

// align returns rows with the first column of a given width.
func align(rows [][]string, names int) string {
	const gap = 2
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, gap, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintf(table, "%-*s\t%s\t\n", names, shorten(row[0], names), strings.Join(row[1:], "\t"))
	}
	_ = table.Flush() // a builder takes everything
	var lines strings.Builder
	for line := range strings.Lines(text.String()) {
		lines.WriteString(strings.TrimPrefix(line, "  ")) // the gap before the first column
	}
	return lines.String()
}
