package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// clearScreen moves the cursor to the beginning and erases what follows (ECMA-48: CUP, ED).
const clearScreen = "\x1b[H\x1b[J"

// screen shows one text after the other: on a terminal in place of the one before, elsewhere below it.
type screen struct {
	out      *os.File
	terminal bool
	shown    bool
}

// newScreen returns a screen. One that does not redraw is no terminal, whatever it is: its text has all the lines, and erases nothing.
func newScreen(out *os.File, redraw bool) *screen {
	_, err := unix.IoctlGetTermios(int(out.Fd()), unix.TCGETS)
	return &screen{out: out, terminal: redraw && err == nil}
}

// next shows a text, of whole lines, with one write: nobody sees half of it.
func (s *screen) next(text string) error {
	switch {
	case s.terminal:
		text = clearScreen + fit(text, s.height())
	case s.shown:
		text = "\n" + text
	}
	s.shown = true
	_, err := io.WriteString(s.out, text)
	return err
}

// height returns how many lines the terminal has, or 0 if it does not say.
func (s *screen) height() int {
	window, err := unix.IoctlGetWinsize(int(s.out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(window.Row)
}

// fit leaves out the lines for which a terminal has no room, and says how many: what scrolls away is not replaced by the next text. The cursor takes a line.
func fit(text string, height int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	room := max(height-2, 1)
	if height == 0 || len(lines) < height {
		return text
	}
	return strings.Join(lines[:room], "") + fmt.Sprintf("%d more lines: make the window taller\n", len(lines)-room)
}
