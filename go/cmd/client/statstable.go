package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nanorpc/go/nanorpc"
)

// shownConnections is how many connections the tables show at most.
const shownConnections = 20

// tables returns what a print shows to people.
func tables(s sample) string {
	return heading(s) + "\n" + methodTable(s) + "\n" + connectionTable(s)
}

func heading(s sample) string {
	text := fmt.Sprintf(": process %d, up %s, %s", s.now.PID, uptime(s.now.Uptime), plural(s.now.Connected, "connection"))
	if interval := s.interval(); interval > 0 {
		text += "; last print " + period(interval) + " ago"
	}
	return shorten(printable(s.now.Service), columns-len(text)) + text + "\n"
}

func methodTable(s sample) string {
	rows := [][]string{s.row(2, "METHOD", "CALLS", "CALLS/S", "ERRORS", "INFLIGHT", "IN", "OUT", "P50", "P99")}
	for _, m := range s.now.Methods {
		r := s.method(m)
		p50, p99 := "-", "-"
		if len(r.times) > 0 {
			p50, p99 = period(r.times.Percentile(50)), period(r.times.Percentile(99))
		}
		rows = append(rows, s.row(2, printable(m.Name), number(m.Calls), r.rateText(), number(m.Errors),
			strconv.Itoa(m.InFlight), size(m.RequestBytes), size(m.ReplyBytes), p50, p99))
	}
	return layOut(rows)
}

func connectionTable(s sample) string {
	rows := [][]string{s.row(3, "CONNECTION", "PROCESS", "CALLS", "CALLS/S", "INFLIGHT", "MEMORY", "REPLIES", "SPUN", "SLEPT")}
	own := false
	for _, c := range s.now.Connections {
		if len(rows) > shownConnections {
			break
		}
		if !hasCalled(c) {
			continue
		}
		id := strconv.FormatInt(c.ID, 10)
		if c.PID == s.self {
			own = true
			id += "*"
		}
		process := "?" // of another PID namespace, which the server does not see into
		if c.PID != 0 {
			process = strconv.Itoa(c.PID)
		}
		rows = append(rows, s.row(3, id, process, number(c.Calls), s.connection(c).rateText(), strconv.Itoa(c.InFlight),
			size(uint64(c.Memory)), size(uint64(c.ReplyUsed)), number(c.SpinsPaid), number(c.Sleeps)))
	}
	var text strings.Builder
	text.WriteString(layOut(rows))
	if own {
		text.WriteString("* this command's own\n")
	}
	if hidden := s.now.Connected - (len(rows) - 1); hidden > 0 {
		text.WriteString("not shown: " + plural(hidden, "connection"))
		if !own {
			text.WriteString(", this command's own among them")
		} else {
			text.WriteString(" with fewer calls or none")
		}
		text.WriteString("\n")
	}
	return text.String()
}

// hasCalled reports whether a client has done anything but connect.
func hasCalled(c nanorpc.ConnectionStats) bool { return c.Calls > 0 || c.InFlight > 0 || c.Refused > 0 }

// row returns the cells of a row, of which the one at the index of the rate is for a watch only.
func (s sample) row(rate int, cells ...string) []string {
	if s.watch {
		return cells
	}
	return slices.Delete(cells, rate, rate+1)
}

func (r recent) rateText() string {
	if !r.known {
		return "-"
	}
	return rate(r.rate)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
