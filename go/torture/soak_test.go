package torture

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// What the soak has beside its server.
const (
	soakSteady  = 3       // processes that keep their connection
	soakComers  = 2       // processes that connect, call and close, over and over
	soakVictims = 2       // processes at a time that are killed
	soakLargest = 4 << 20 // bytes of a payload
)

// TestSoak has one server serve clients that stay, that come and go, and that are killed, for an hour, and looks at its memory, and that of those who stay.
func TestSoak(t *testing.T) {
	const full, most, slope = 3600, 128 << 20, 1.0
	r := begin(t, "soak", "seconds", full)
	dir := t.TempDir()
	server := start(t, "server", dir)
	if err := useOnce(dir, 0); err != nil {
		t.Fatal(err)
	}
	idle := settled(server.Process.Pid)
	watched := []*watch{{child: server, name: "the server"}}
	var callers []*child
	for i := range soakSteady {
		c := start(t, "soaker", dir)
		callers = append(callers, c)
		watched = append(watched, &watch{child: c, name: fmt.Sprintf("client %d", i)})
	}
	for range soakComers {
		callers = append(callers, start(t, "comer", dir))
	}
	total := size(full, 3)
	begun := time.Now()
	stop := make(chan struct{})
	var victims sync.WaitGroup
	kills := make([]int, soakVictims)
	for i := range kills {
		victims.Go(func() { kills[i] = killOver(t, r, dir, stop) })
	}
	for i := range total {
		time.Sleep(time.Until(begun.Add(time.Duration(i+1) * time.Second)))
		for _, w := range watched {
			w.look(t, time.Since(begun))
		}
		r.tried(1, total)
		if c := firstEnded(append(callers, server)); c != nil {
			r.lose("after %d s a process has ended: %v: %s", i+1, c.err, c.stderr.String())
			break
		}
	}
	close(stop)
	victims.Wait()
	calls := 0
	for _, c := range callers {
		c.stdin.Close()
		n := 0
		if _, err := fmt.Fscan(c.stdout, &n); err != nil || !c.wait() || c.err != nil {
			r.lose("a client: %v, %v, %s", err, c.err, c.stderr.String())
		}
		calls += n
	}
	if !within(patience, func() bool { return stateOf(server.Process.Pid) == idle }) {
		r.lose("without clients the server has %+v, and had %+v", stateOf(server.Process.Pid), idle)
	}
	if !within(patience, func() bool { return names(t) == 0 }) {
		r.lose("%d files are left in /dev/shm", names(t))
	}
	killed := 0
	for _, n := range kills {
		killed += n
	}
	r.note("%d steady clients, %d that come and go, %d killed; %d calls of those that were not killed", soakSteady, soakComers, killed, calls)
	for _, w := range watched {
		warm := w.samples[len(w.samples)/10:]
		inMiB := func(s sample) float64 { return float64(s.memory) / (1 << 20) }
		memory, kept := lineThrough(warm, inMiB), lineThrough(lows(warm), inMiB)
		descriptors := lineThrough(warm, func(s sample) float64 { return float64(s.descriptors) })
		segments := lineThrough(warm, func(s sample) float64 { return float64(s.segments) })
		r.note("%s: own memory %v MiB, its lows %v MiB; descriptors %v; mappings %v", w.name, memory, kept, descriptors, segments)
		if memory.largest > most>>20 {
			r.lose("%s had %.0f MiB of its own", w.name, memory.largest)
		}
		// In less time the slope says what the garbage collector did last.
		if total >= full/2 && (kept.slope > slope || descriptors.slope > slope || segments.slope > slope) {
			r.lose("%s: more and more: memory %v MiB, descriptors %v, mappings %v", w.name, kept, descriptors, segments)
		}
	}
}

// killOver starts clients, one after the other, and kills each at some moment. It returns how many it has killed.
func killOver(t *testing.T, r *row, dir string, stop chan struct{}) int {
	for kills := 0; ; kills++ {
		select {
		case <-stop:
			return kills
		default:
		}
		t.Run("victim", func(t *testing.T) {
			c := launch(t, "soaker", dir)
			select {
			case <-time.After(time.Duration(rand.IntN(3000)) * time.Millisecond):
			case <-stop:
			case <-c.ended:
				r.lose("a client has ended before it was killed: %v: %s", c.err, c.stderr.String())
			}
			c.kill()
		})
	}
}

// firstEnded returns a process that has ended, or nil.
func firstEnded(all []*child) *child {
	for _, c := range all {
		select {
		case <-c.ended:
			return c
		default:
		}
	}
	return nil
}

// watch is a process whose state is looked at again and again.
type watch struct {
	*child
	name    string
	samples []sample
}

type sample struct {
	at     time.Duration
	memory int64 // bytes of its own
	state
}

func (w *watch) look(t testing.TB, at time.Duration) {
	t.Helper()
	pid := w.Process.Pid
	w.samples = append(w.samples, sample{at, ownMemory(t, pid), stateOf(pid)})
}

// lows returns of each minute the sample with the least memory, which is what the garbage collector leaves: in between that of a client swings by as much as its largest payloads
// take.
func lows(samples []sample) []sample {
	const together = 60
	var least []sample
	for some := range slices.Chunk(samples, together) {
		if len(some) == together || least == nil {
			least = append(least, slices.MinFunc(some, func(a, b sample) int { return cmp.Compare(a.memory, b.memory) }))
		}
	}
	return least
}

// line is the least-squares line through samples.
type line struct {
	mean, slope float64 // the slope is that of an hour
	scatter     float64 // standard deviation of the distances from the line
	smallest    float64
	largest     float64
	tenths      []float64 // the mean of each tenth of the time: what climbs does so in most of them, what is noise does not
}

// String returns the line's figures.
func (l line) String() string {
	return fmt.Sprintf("%.2f from %.2f to %.2f, %+.3f/h, scatter %.2f, by tenths %.2f", l.mean, l.smallest, l.largest, l.slope, l.scatter, l.tenths)
}

func lineThrough(samples []sample, value func(sample) float64) line {
	n := float64(len(samples))
	l := line{smallest: math.Inf(1), largest: math.Inf(-1)}
	middle := 0.0
	for _, s := range samples {
		v := value(s)
		middle += s.at.Hours() / n
		l.mean += v / n
		l.smallest, l.largest = min(l.smallest, v), max(l.largest, v)
	}
	product, square := 0.0, 0.0
	for _, s := range samples {
		x := s.at.Hours() - middle
		product += x * (value(s) - l.mean)
		square += x * x
	}
	if square > 0 {
		l.slope = product / square
	}
	for _, s := range samples {
		d := value(s) - l.mean - l.slope*(s.at.Hours()-middle)
		l.scatter += d * d / n
	}
	l.scatter = math.Sqrt(l.scatter)
	for i := range 10 {
		some := samples[i*len(samples)/10 : (i+1)*len(samples)/10]
		sum := 0.0
		for _, s := range some {
			sum += value(s)
		}
		if len(some) > 0 {
			l.tenths = append(l.tenths, sum/float64(len(some)))
		}
	}
	return l
}

// soak makes calls until the standard input ends, closes, looks whether it has what it had before, and prints how many calls it has made.
func soak(dir string) error {
	return soakWith(dir, func(s *soaker) error {
		client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
		if err != nil {
			return err
		}
		defer client.Close()
		for s.until.Err() == nil {
			if err := s.useSome(client); err != nil {
				return err
			}
		}
		return nil
	})
}

// comeAndGo connects, makes some calls, and closes, over and over, at times with calls in flight. Else it is as soak.
func comeAndGo(dir string) error {
	return soakWith(dir, func(s *soaker) error {
		for s.until.Err() == nil {
			client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
			if err != nil {
				return err
			}
			for range s.rng.IntN(4) {
				err = errors.Join(err, s.useSome(client))
			}
			var inFlight []*nanorpc.Call
			for range s.rng.IntN(4) {
				inFlight = append(inFlight, client.Go(context.Background(), "wait", nil))
			}
			client.Close()
			for _, c := range inFlight {
				if _, failure := c.Result(); !errors.Is(failure, nanorpc.ErrClientClosed) {
					err = errors.Join(err, fmt.Errorf("a call of a client that closes ended with %w", failure))
				}
			}
			if err != nil {
				return err
			}
			s.rest(20 * time.Millisecond)
		}
		return nil
	})
}

func soakWith(dir string, run func(*soaker) error) error {
	until := stdinEnds()
	client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir)) // the runtime has what it needs then
	if err != nil {
		return err
	}
	client.Close()
	before := settled(os.Getpid())
	s := &soaker{until: until, rng: rand.New(rand.NewPCG(rand.Uint64(), 0)), random: make([]byte, soakLargest+1<<12)}
	for i := 0; i+8 <= len(s.random); i += 8 {
		v := s.rng.Uint64()
		for j := range 8 {
			s.random[i+j] = byte(v >> (8 * j))
		}
	}
	ready()
	if err := run(s); err != nil {
		return fmt.Errorf("after %d calls: %w", s.calls, err)
	}
	if !within(patience, func() bool { return stateOf(os.Getpid()) == before }) {
		return fmt.Errorf("after it has closed it has %+v, and had %+v", stateOf(os.Getpid()), before)
	}
	fmt.Println(s.calls)
	return nil
}

// soaker makes calls of all kinds.
type soaker struct {
	until  context.Context // it ends when the process is to
	rng    *rand.Rand
	random []byte // requests are parts of it
	reply  []byte
	calls  int
	freed  time.Time // when what the garbage collector has found was last given back
}

// request returns some bytes, of any size from none to the largest: of each order of magnitude there are as many.
func (s *soaker) request(largest int) []byte {
	n := s.rng.IntN(1<<s.rng.IntN(23) + 1)
	n = min(n, largest)
	at := s.rng.IntN(len(s.random) - n + 1)
	return s.random[at : at+n]
}

// useSome makes calls of one kind, checks what comes, and pauses for a multiple of what that took, so that many processes leave the CPUs to others.
func (s *soaker) useSome(client *nanorpc.Client) error {
	kinds := []func(*nanorpc.Client) error{s.copying, s.digesting, s.lending, s.leasing, s.batching, s.going, s.hurrying, s.cancelling}
	begun := time.Now()
	if err := kinds[s.rng.IntN(len(kinds))](client); err != nil {
		return err
	}
	if begun.Sub(s.freed) > 10*time.Second {
		debug.FreeOSMemory() // what is left in the lows is what the process keeps
		s.freed = begun
	}
	s.rest(10 * time.Since(begun))
	return nil
}

// rest pauses for so long, but not for more than a second, nor longer than the process is to run.
func (s *soaker) rest(d time.Duration) {
	select {
	case <-time.After(min(d, time.Second)):
	case <-s.until.Done():
	}
}

func (s *soaker) copying(client *nanorpc.Client) error {
	s.calls++
	request := s.request(soakLargest)
	return expect(client, "echo", request, request)
}

func (s *soaker) digesting(client *nanorpc.Client) (err error) {
	s.calls++
	request := s.request(soakLargest)
	digest := sha256.Sum256(request)
	s.reply, err = client.AppendCall(context.Background(), s.reply[:0], "sha256", request)
	return check("digest", request, s.reply, digest[:], err)
}

func (s *soaker) lending(client *nanorpc.Client) error {
	s.calls++
	request := s.request(soakLargest)
	loan, err := client.Loan(context.Background(), len(request))
	if err != nil {
		return err
	}
	copy(loan.Bytes(), request)
	lease, err := loan.Call(context.Background(), "echo")
	if err != nil {
		return err
	}
	defer lease.Release()
	return check("loan", request, lease.Bytes(), request, nil)
}

func (s *soaker) leasing(client *nanorpc.Client) error {
	s.calls++
	request := s.request(soakLargest)
	lease, err := client.CallLease(context.Background(), "echo", request)
	if err != nil {
		return err
	}
	defer lease.Release()
	return check("lease", request, lease.Bytes(), request, nil)
}

func (s *soaker) batching(client *nanorpc.Client) error {
	batch := client.NewBatch()
	var requests [][]byte
	for range 1 + s.rng.IntN(40) {
		requests = append(requests, s.request(1<<16))
		batch.Add("echo", requests[len(requests)-1])
	}
	s.calls += len(requests)
	if err := batch.Do(context.Background()); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	for i, request := range requests {
		reply, err := batch.Reply(i)
		if err := check("batch", request, reply, request, err); err != nil {
			return err
		}
	}
	return nil
}

func (s *soaker) going(client *nanorpc.Client) error {
	var requests [][]byte
	var calls []*nanorpc.Call
	for range 1 + s.rng.IntN(8) {
		requests = append(requests, s.request(1<<20))
		calls = append(calls, client.Go(context.Background(), "echo", requests[len(requests)-1]))
	}
	s.calls += len(calls)
	for i, c := range calls {
		reply, err := c.Result()
		if err := check("async", requests[i], reply, requests[i], err); err != nil {
			return err
		}
	}
	return nil
}

// hurrying makes calls whose deadlines are about when they would be over.
func (s *soaker) hurrying(client *nanorpc.Client) error {
	for range 1 + s.rng.IntN(4) {
		s.calls++
		request := seal(make([]byte, minLetter+s.rng.IntN(1000)), s.rng.Uint64(), time.Duration(s.rng.IntN(2000))*time.Microsecond, s.rng)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+s.rng.IntN(2000))*time.Microsecond)
		reply, err := client.Call(ctx, "late", request)
		cancel()
		if errors.Is(err, nanorpc.ErrDeadlineExceeded) {
			continue
		}
		if err := check("deadline", request, reply, request, err); err != nil {
			return err
		}
	}
	return nil
}

// cancelling makes asynchronous calls of which some are given up.
func (s *soaker) cancelling(client *nanorpc.Client) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var requests []letter
	var calls []*nanorpc.Call
	for range 1 + s.rng.IntN(8) {
		requests = append(requests, seal(make([]byte, minLetter+s.rng.IntN(1000)), s.rng.Uint64(), time.Duration(s.rng.IntN(1000))*time.Microsecond, s.rng))
		calls = append(calls, client.Go(ctx, "late", requests[len(requests)-1]))
	}
	s.calls += len(calls)
	time.Sleep(time.Duration(s.rng.IntN(1000)) * time.Microsecond)
	cancel()
	for i, c := range calls {
		reply, err := c.Result()
		if errors.Is(err, context.Canceled) {
			continue
		}
		if err := check("cancelled", requests[i], reply, requests[i], err); err != nil {
			return err
		}
	}
	return nil
}

// check compares a reply.
func check(kind string, request, reply, want []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%s of %d bytes: %w", kind, len(request), err)
	}
	if !bytes.Equal(reply, want) {
		return fmt.Errorf("%s of %d bytes: another reply, of %d bytes", kind, len(request), len(reply))
	}
	return nil
}
