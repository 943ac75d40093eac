package torture

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/wire"
)

// trapped is a client that calls a hostile server.
type trapped struct {
	r      *row
	trap   *trap
	client *child
	memory int64
	watch  *watcher
}

// pythonVariable names a Python interpreter that has the package. make test-go and make torture set it.
const pythonVariable = "NANORPC_TEST_PYTHON"

// inAllLanguages runs a test for each language of a client.
func inAllLanguages(t *testing.T, test func(t *testing.T, language string)) {
	for _, language := range []string{"Go", "Python"} {
		t.Run(language, func(t *testing.T) {
			if language == "Python" && os.Getenv(pythonVariable) == "" {
				t.Skip("set " + pythonVariable + " to a Python interpreter that has the package, as make test-go does")
			}
			test(t, language)
		})
	}
}

// trappedBy start the clients that are trapped, by their language.
var trappedBy = map[string]func(t *testing.T, dir, honest string) *child{
	"Go": func(t *testing.T, dir, honest string) *child {
		return start(t, "trapped", dir, honestVariable+"="+honest)
	},
	"Python": func(t *testing.T, dir, honest string) *child {
		c := launchProgram(t, exec.Command(os.Getenv(pythonVariable), "-X", "dev", "testdata/hostile_caller.py"), directoryVariable+"="+dir, honestVariable+"="+honest)
		c.mustGetReady(t, "hostile_caller.py")
		return c
	},
}

// lure starts a hostile server, one that keeps to the protocol, and a client.
func lure(t *testing.T, r *row, language string, disturb func(s *wire.Segment, stop *atomic.Bool)) *trapped {
	dir, honest := t.TempDir(), t.TempDir()
	v := &trapped{r: r, trap: setTrap(t, dir, disturb)}
	t.Cleanup(v.trap.close)
	start(t, "server", honest)
	v.client = trappedBy[language](t, dir, honest)
	v.memory = ownMemory(t, v.client.Process.Pid)
	v.watch = watchMemory(v.client.Process.Pid)
	return v
}

// alive reports whether the client has not ended.
func (v *trapped) alive() bool {
	select {
	case <-v.client.ended:
		v.r.lose("the client has ended: %v, %s", v.client.err, v.client.stderr.String())
		return false
	default:
		return true
	}
}

// end checks what must hold in the end: the client goes on with another server.
func (v *trapped) end() {
	v.client.stdin.Close()
	calls := 0
	if _, err := fmt.Fscan(v.client.stdout, &calls); err != nil || !v.client.wait() || v.client.err != nil {
		v.r.lose("the client: %v, %v, %s", err, v.client.err, v.client.stderr.String())
	}
	most := v.watch.stop()
	if most > v.memory+hostileGrowth {
		v.r.lose("the client's memory has grown from %d to %d bytes", v.memory, most)
	}
	v.r.note("%d calls, single or some at once, over %d connections; %d requests came; the client's memory grew by %d KiB at most",
		calls, v.trap.connections.Load(), v.trap.answers.Load(), (most-v.memory)>>10)
}

// TestHostileServerFields has a server write what may be a limit, and what may not, to every field of its clients' segments, before they open them and at all moments of a call.
func TestHostileServerFields(t *testing.T) {
	inAllLanguages(t, func(t *testing.T, language string) {
		const fields = 28
		r := begin(t, "hostile server, client in "+language+": fields", "values", fields*valuesOfField)
		v := lure(t, r, language, nil)
		defer v.end()
		values := min(size(valuesOfField, 2), valuesOfField)
		for i := range fields {
			for k := range values {
				for moment := range trapMoments {
					select {
					case v.trap.writings <- &writing{field: i, value: (k*23 + i) % valuesOfField, moment: moment}:
					case <-v.client.ended:
						v.alive()
						return
					case <-time.After(patience):
						r.lose("the client does not call any more")
						return
					}
				}
				r.tried(1, fields*values)
			}
		}
	})
}

// TestHostileServerFlips has a server answer while another of its threads changes a field all the time.
func TestHostileServerFlips(t *testing.T) {
	inAllLanguages(t, func(t *testing.T, language string) {
		const full, each = 23, 60_000 // ms
		r := begin(t, "hostile server, client in "+language+": flips", "fields", full)
		var flipped atomic.Int32
		v := lure(t, r, language, func(s *wire.Segment, stop *atomic.Bool) {
			for slot := 0; !stop.Load(); slot = (slot + 1) % 4 { // clients use low slots
				fields, _ := fieldsOf(s, slot)
				field := flipped.Load()
				var next atomic.Bool
				timer := time.AfterFunc(5*time.Millisecond, func() { next.Store(true) })
				fields[field].flip(s, &next)
				timer.Stop()
			}
		})
		defer v.end()
		for i := range full {
			flipped.Store(int32(i))
			answers := v.trap.answers.Load()
			time.Sleep(time.Duration(size(each, 40)) * time.Millisecond)
			// A client that hangs has not called.
			if !within(patience, func() bool { return v.trap.answers.Load() > answers }) || !v.alive() {
				r.lose("the client does not call any more while field %d changes", i)
				return
			}
			r.tried(1, full)
		}
		r.note("%d ms for each field", size(each, 40))
	})
}

// TestHostileServerScribbles has a server answer while another of its threads writes anything anywhere.
func TestHostileServerScribbles(t *testing.T) {
	inAllLanguages(t, func(t *testing.T, language string) {
		const full = 60_000
		r := begin(t, "hostile server, client in "+language+": random bytes", "ms", full)
		v := lure(t, r, language, scribble)
		defer v.end()
		ms := size(full, 300)
		time.Sleep(time.Duration(ms) * time.Millisecond)
		if v.alive() {
			r.tried(ms, ms)
		}
	})
}
