package command

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/bench"
)

// clearLine returns to the line's beginning and erases it (ECMA-48: EL).
const clearLine = "\r\x1b[K"

// progressLine shows how far a run is, in one line that it overwrites. Where the output is no terminal it shows nothing.
type progressLine struct {
	terminal io.Writer // nil: none

	mu    sync.Mutex
	shown bool
}

func newProgressLine(out io.Writer) *progressLine {
	f, ok := out.(*os.File)
	if !ok {
		return &progressLine{}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return &progressLine{}
	}
	return &progressLine{terminal: f}
}

// follow shows the progress until the run ends. It returns at once where there is no terminal, else at the end.
func (p *progressLine) follow(run *bench.Run) {
	if p.terminal == nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run.Wait() // the caller asks for the error
	}()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			p.show(run.Progress())
		}
	}
}

func (p *progressLine) show(at bench.Progress) {
	text := fmt.Sprintf("%3.0f %%", 100*at.Fraction)
	if at.ETAS > 0 {
		text += fmt.Sprintf(", %.0f s left", at.ETAS)
	}
	if c := at.Current; c != nil {
		text += fmt.Sprintf(", round %d: %s, %s", c.Round, c.Transport, sizeText(c.SizeBytes))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.terminal, clearLine, text)
	p.shown = true
}

// clear removes the line, before something else is printed.
func (p *progressLine) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.terminal, clearLine)
		p.shown = false
	}
}
