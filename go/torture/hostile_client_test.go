package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/wire"
	"nanorpc/go/nanorpc"
)

// The arenas of the segments on which hostile peers work.
const (
	hostileArena   = 4 << 20
	hostilePayload = 4 << 20
)

// serveIntruders serves with small arenas, all of which can be written over.
func serveIntruders(dir string) error {
	return serve(dir, nanorpc.WithArena(hostileArena), nanorpc.WithMaxPayload(hostilePayload))
}

// besieged is a server with hostile clients, and two others that check what they get.
type besieged struct {
	r      *row
	dir    string
	server *child
	others []*child
	idle   state // without clients
	before state
	memory int64
	watch  *watcher
}

// besiegedIn start the servers that are besieged, by their language.
var besiegedIn = map[string]func(t *testing.T, dir string) *child{
	"Go": func(t *testing.T, dir string) *child { return start(t, "besieged", dir) },
	"Python": func(t *testing.T, dir string) *child {
		c := launchProgram(t, exec.Command(os.Getenv(pythonVariable), "testdata/besieged.py"), directoryVariable+"="+dir)
		c.mustGetReady(t, "besieged.py")
		return c
	},
}

func besiege(t *testing.T, r *row, language string) *besieged {
	b := &besieged{r: r, dir: t.TempDir()}
	b.server = besiegedIn[language](t, b.dir)
	if err := useOnce(b.dir, 0); err != nil {
		t.Fatal(err)
	}
	b.idle = settled(b.pid())
	for range 2 {
		b.others = append(b.others, start(t, "bystander", b.dir))
	}
	b.before, b.memory = settled(b.pid()), ownMemory(t, b.pid())
	b.watch = watchMemory(b.pid())
	return b
}

func (b *besieged) pid() int { return b.server.Process.Pid }

// alive reports whether the server and the bystanders have not ended.
func (b *besieged) alive() bool {
	for _, c := range append(b.others, b.server) {
		select {
		case <-c.ended:
			return false
		default:
		}
	}
	return true
}

// restored is called when no hostile client is left. It reports whether there is any sense in going on.
func (b *besieged) restored(after string) bool {
	if !b.alive() {
		b.r.lose("after %s: the server, or a bystander, has ended: %s %s %s", after, b.server.stderr.String(), b.others[0].stderr.String(), b.others[1].stderr.String())
		return false
	}
	if !within(patience, func() bool { return stateOf(b.pid()) == b.before }) {
		b.r.lose("after %s the server has %+v, and had %+v", after, stateOf(b.pid()), b.before)
		b.before = settled(b.pid())
	}
	return true
}

// end checks what must hold when all hostile clients have gone.
func (b *besieged) end() {
	calls := 0
	for _, c := range b.others {
		c.stdin.Close()
		n := 0
		if _, err := fmt.Fscan(c.stdout, &n); err != nil || !c.wait() || c.err != nil {
			b.r.lose("a bystander: %v, %s", err, c.stderr.String())
		}
		calls += n
	}
	if !within(patience, func() bool { return stateOf(b.pid()) == b.idle }) {
		b.r.lose("without clients the server has %+v, and had %+v", stateOf(b.pid()), b.idle)
	}
	if !rests(b.pid()) {
		b.r.lose("the server uses CPU without clients")
	}
	most := b.watch.stop()
	if most > b.memory+hostileGrowth {
		b.r.lose("the server's memory has grown from %d to %d bytes", b.memory, most)
	}
	b.r.note("the bystanders made %d calls; the server's memory grew by %d KiB at most", calls, (most-b.memory)>>10)
	b.server.stdin.Close()
	if !b.server.wait() || b.server.err != nil {
		b.r.lose("the server does not end: %v, %s", b.server.err, b.server.stderr.String())
	}
}

// moments are those at which a hostile client writes a value.
var moments = []struct {
	name string
	act  func(p *intruder, write func())
}{
	{"before a call is published", func(p *intruder, write func()) {
		p.prepare("echo", request(p.generation+1))
		write()
		p.publish()
	}},
	{"once a call is published", func(p *intruder, write func()) {
		p.prepare("echo", request(p.generation+1))
		p.publish()
		write()
	}},
	{"while the handler runs", func(p *intruder, write func()) {
		letter := seal(make([]byte, 300), 0, 200*time.Microsecond, rand.New(rand.NewPCG(rand.Uint64(), 0)))
		p.prepare("late", letter)
		p.publish()
		p.ring()
		time.Sleep(50 * time.Microsecond)
		write()
	}},
	{"after the reply", func(p *intruder, write func()) {
		p.prepare("sha256", request(p.generation+1))
		p.publish()
		p.ring()
		p.answered(10 * time.Millisecond)
		write()
	}},
	{"while the server sleeps", func(p *intruder, write func()) {
		bell := &p.segment.Doorbell().Bell
		within(5*time.Millisecond, func() bool {
			b := atomic.LoadUint32(bell)
			return b == wire.BellSleeping || b == wire.BellParked
		})
		write()
	}},
}

// try writes a value at a moment, sees what comes of it, and then keeps to the protocol. It reports whether the server does as well, or has ended the connection.
func (p *intruder) try(f field, moment int, value uint64) bool {
	var before uint64
	moments[moment].act(p, func() {
		before = f.get(p.segment)
		f.put(p.segment, value)
	})
	p.ring()
	p.answered(200 * time.Microsecond)
	f.put(p.segment, before)
	return p.goesOn()
}

// hostileSlots are those in which hostile peers call: the first, which servers poll, one of a page that is called in later, and the last.
var hostileSlots = []int{0, 70, wire.Slots - 1}

// TestHostileClientFields has a client write what may be a limit, and what may not, to every field of its segment, at all moments of a call.
func TestHostileClientFields(t *testing.T) {
	inAllLanguages(t, func(t *testing.T, language string) {
		const full = 28 * valuesOfField
		r := begin(t, besieging(language, "fields"), "values", full)
		b := besiege(t, r, language)
		defer b.end()
		for i := 0; ; i++ {
			p := intrude(t, b.dir, hostileSlots[i%len(hostileSlots)])
			fields, between := fieldsOf(p.segment, p.slot)
			fields = append(fields, between...)
			if i >= len(fields) {
				p.leave()
				return
			}
			f := fields[i]
			values := hostileValues(p.segment.Layout(), f.size, f.get(p.segment))
			rand.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
			for _, value := range values[:min(size(valuesOfField, 3), valuesOfField)] {
				for moment := range moments {
					if p.hasEnded() {
						p.leave()
						p = intrude(t, b.dir, p.slot)
					}
					if !p.try(f, moment, value) {
						r.lose("%s, %#x %s: the connection neither goes on nor ends", f.name, value, moments[moment].name)
					}
				}
				r.tried(1, size(full, 3*len(fields)))
			}
			p.leave()
			if !b.restored(f.name) {
				return
			}
		}
	})
}

// besieging names a row of the report.
func besieging(language, how string) string {
	if language == "Go" {
		return "hostile client: " + how
	}
	return "hostile client, server in " + language + ": " + how
}

// disturb runs a writer over connections of a hostile client, one after the other, each of which calls until the server has ended it or the time is up, and returns how many
// connections there were.
func (b *besieged) disturb(t *testing.T, d time.Duration, write func(p *intruder, stop *atomic.Bool)) (connections int) {
	end := time.Now().Add(d)
	for ; time.Now().Before(end); connections++ {
		p := intrude(t, b.dir, hostileSlots[connections%len(hostileSlots)])
		var stop atomic.Bool
		var writer sync.WaitGroup
		writer.Go(func() { write(p, &stop) })
		for !p.hasEnded() && time.Now().Before(end) {
			p.misuse()
		}
		stop.Store(true)
		writer.Wait()
		p.leave()
	}
	return connections
}

// misuse makes a call while somebody else writes to the segment.
func (p *intruder) misuse() {
	n := rand.IntN(16)
	switch {
	case n == 0:
		p.prepare("wait", nil)
	case n == 1:
		p.prepare("late", seal(make([]byte, 300), 0, 100*time.Microsecond, rand.New(rand.NewPCG(rand.Uint64(), 0))))
	case n < 4:
		p.prepare("sha256", request(p.generation))
	default:
		p.prepare("echo", request(p.generation))
	}
	p.publish()
	p.ring()
	p.answered(time.Millisecond)
	if n > 12 {
		p.hurry()
	}
}

// hurry makes calls that follow each other at once, and for which there is no need to ring as long as the server watches the slot: those that servers in Python take ahead.
func (p *intruder) hurry() {
	request, reply := p.segment.Request(p.slot), &p.segment.Reply(p.slot).Word
	for range 50 {
		p.prepare("echo", []byte("in a hurry"))
		p.generation = (p.generation + 1) & wire.GenerationMask
		atomic.StoreUint32(&request.Word, wire.Word(p.generation, wire.StateCall))
		if atomic.LoadUint32(&p.segment.Doorbell().Bell) != wire.BellPolling(p.slot) {
			p.ring()
		}
		for looks := 0; !wire.Done(atomic.LoadUint32(reply), p.generation); looks++ {
			if looks == 20_000 {
				return
			}
		}
	}
}

// flip changes a field between what it should hold and what it should not, as fast as it can.
func (f field) flip(s *wire.Segment, stop *atomic.Bool) {
	values := hostileValues(s.Layout(), f.size, f.get(s))
	for i := 0; !stop.Load(); i++ {
		before := f.get(s)
		f.put(s, values[i%len(values)])
		f.put(s, before)
		if i%1024 == 0 {
			runtime.Gosched()
		}
	}
}

// TestHostileClientFlips has a client call while another of its threads changes a field all the time.
func TestHostileClientFlips(t *testing.T) {
	inAllLanguages(t, func(t *testing.T, language string) {
		const full, each = 23, 60_000 // ms
		r := begin(t, besieging(language, "flips"), "fields", full)
		b := besiege(t, r, language)
		defer b.end()
		connections := 0
		for i := range full {
			var name string
			connections += b.disturb(t, time.Duration(size(each, 40))*time.Millisecond, func(p *intruder, stop *atomic.Bool) {
				fields, _ := fieldsOf(p.segment, p.slot)
				if len(fields) != full {
					r.lose("there are %d fields, not %d", len(fields), full)
				}
				name = fields[i].name
				fields[i].flip(p.segment, stop)
			})
			r.tried(1, full)
			if !b.restored("flips of " + name) {
				return
			}
		}
		r.note("%d ms for each field, %d connections", size(each, 40), connections)
	})
}

// scribble writes what chance decides wherever chance decides.
func scribble(s *wire.Segment, stop *atomic.Bool) {
	l := s.Layout()
	for !stop.Load() {
		// Half of it in front of the arenas, which are much larger.
		end := []int64{l.Size(), l.RequestStart()}[rand.IntN(2)]
		field{offset: rand.Int64N(end/8) * 8, size: 8}.put(s, rand.Uint64()>>rand.IntN(64))
	}
}

// TestHostileClientScribbles has a client call while another of its threads writes anything anywhere.
func TestHostileClientScribbles(t *testing.T) {
	inAllLanguages(t, func(t *testing.T, language string) {
		const full = 60_000
		r := begin(t, besieging(language, "random bytes"), "ms", full)
		b := besiege(t, r, language)
		defer b.end()
		ms := size(full, 300)
		connections := b.disturb(t, time.Duration(ms)*time.Millisecond, func(p *intruder, stop *atomic.Bool) { scribble(p.segment, stop) })
		r.tried(ms, ms)
		b.restored("random bytes")
		r.note("%d connections", connections)
	})
}
