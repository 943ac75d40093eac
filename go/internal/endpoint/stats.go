package endpoint

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// StatsMethod is the method that every server answers with its Stats, as MessagePack.
const StatsMethod = reservedPrefix + "stats"

// listedConnections is how many connections Stats lists, so that it has a bounded size.
const listedConnections = 100

// Stats is what a server has counted since it was made. Counts of calls that a connection's leader runs itself come at the latest with the 64th call after, or
// when the leader sleeps. A worker's thread that sleeps between calls that it takes ahead is woken for it, and waited for, but not for long if it does not get Python's lock.
type Stats struct {
	Service     string            `msgpack:"service"`
	PID         int               `msgpack:"pid"`
	UID         int               `msgpack:"uid"`
	UptimeNS    int64             `msgpack:"uptime_ns"`
	Methods     []MethodStats     `msgpack:"methods"`     // by name
	Connected   int               `msgpack:"connected"`   // connections
	Connections []ConnectionStats `msgpack:"connections"` // the 100 with the most calls, most first
}

// Counts are those of a method or a connection.
type Counts struct {
	Calls        uint64 `msgpack:"calls"`  // answered
	Errors       uint64 `msgpack:"errors"` // of those, with anything but a reply
	InFlight     int    `msgpack:"in_flight"`
	RequestBytes uint64 `msgpack:"request_bytes"`
	ReplyBytes   uint64 `msgpack:"reply_bytes"`
	// Times are how long calls took on the server, from when one was taken to when it was answered: pairs of a time in ns and the number of calls that took
	// less than that, and no less than the time of the pair before. Of quick calls one in 64 is timed, and stands for all; of those
	// that a worker's thread sleeps for and takes ahead, the one before them, of up to 512.
	Times [][2]int64 `msgpack:"times"`
}

// MethodStats are a method's.
type MethodStats struct {
	Name string `msgpack:"name"`
	Counts
}

// ConnectionStats are a connection's.
type ConnectionStats struct {
	ID    int64 `msgpack:"id"`
	PID   int   `msgpack:"pid"`
	AgeNS int64 `msgpack:"age_ns"`
	Counts
	Refused    uint64 `msgpack:"refused"`     // calls that came to no handler: of unknown methods, given up before, or after the server's end
	SpinsPaid  uint64 `msgpack:"spins_paid"`  // waits for calls that a spin has ended
	Sleeps     uint64 `msgpack:"sleeps"`      // waits for calls that it has not
	Memory     int64  `msgpack:"memory"`      // bytes of shared memory
	ReplyUsed  int64  `msgpack:"reply_used"`  // bytes of the reply arena that hold replies
	ReplyArena int64  `msgpack:"reply_arena"` // bytes that it has grown to
}

func (t *tally) read(inFlight int) Counts {
	return Counts{
		Calls: t.calls.Load(), Errors: t.errors.Load(), InFlight: inFlight,
		RequestBytes: t.requestBytes.Load(), ReplyBytes: t.replyBytes.Load(), Times: t.times.read(),
	}
}

// stats returns the connection's. It reports false if it has just ended.
func (c *conn) stats(now time.Time) (ConnectionStats, bool) {
	c.releasing.Lock() // the segment must stay
	defer c.releasing.Unlock()
	if c.released {
		return ConnectionStats{}, false
	}
	memory, err := c.segment.Memory()
	if err != nil { // its file has been closed
		return ConnectionStats{}, false
	}
	used, size := c.link.ReplyMemory()
	inFlight := int(c.open.Load())
	if c.leads() {
		inFlight++
	}
	return ConnectionStats{
		ID: c.id, PID: c.peer.PeerPID(), AgeNS: int64(now.Sub(c.started)), Counts: c.tally.read(inFlight), Refused: c.refused.Load(),
		SpinsPaid: c.paid.Load(), Sleeps: c.sleeps.Load(), Memory: memory, ReplyUsed: used, ReplyArena: size,
	}, true
}

// leads reports whether the leader runs a call of the connection.
func (c *conn) leads() bool { return c.present().runs() && !c.aside.Load() }

// leading returns the method that the leader runs, if that is a quick one; or nil. Others are counted by their method.
func (c *conn) leading() *method {
	if !c.leads() {
		return nil
	}
	return c.quickly.Load()
}

// runs says what the leader is about to run, if that is not counted among its method's running ones. It comes before the turn begins.
func (c *conn) runs(quickly *method) {
	if c.quickly.Load() != quickly {
		c.quickly.Store(quickly)
	}
}

// Stats returns what the server has counted. It is safe for concurrent use.
func (s *Server) Stats() Stats {
	s.pulled.settle()
	now := time.Now()
	live := s.live()
	stats := Stats{
		Service: s.service, PID: os.Getpid(), UID: os.Geteuid(), UptimeNS: int64(now.Sub(s.started)), Connected: len(live),
		Methods: []MethodStats{}, Connections: []ConnectionStats{},
	}
	inFlight := map[*method]int{}
	for _, c := range live {
		if m := c.leading(); m != nil {
			inFlight[m]++
		}
	}
	for _, m := range *s.methods.Load() {
		counts := m.tally.read(int(m.running.Load()) + inFlight[m])
		if counts.Calls == 0 && m.reserved {
			continue
		}
		stats.Methods = append(stats.Methods, MethodStats{Name: m.name, Counts: counts})
	}
	slices.SortFunc(stats.Methods, func(a, b MethodStats) int { return cmp.Compare(a.Name, b.Name) })
	for _, c := range busiest(live, listedConnections) {
		if cs, ok := c.stats(now); ok {
			stats.Connections = append(stats.Connections, cs)
		}
	}
	return stats
}

// busiest returns the n connections with the most calls, most first.
func busiest(connections []*conn, n int) []*conn {
	calls := make(map[*conn]uint64, len(connections)) // counted once: they go on calling
	for _, c := range connections {
		calls[c] = c.tally.calls.Load()
	}
	slices.SortFunc(connections, func(a, b *conn) int {
		return cmp.Or(cmp.Compare(calls[b], calls[a]), cmp.Compare(a.id, b.id))
	})
	return connections[:min(n, len(connections))]
}

// answerStats answers nanorpc.stats.
func (s *Server) answerStats(call *Call) {
	b, err := msgpack.Marshal(s.Stats())
	if err != nil {
		call.Fail(err.Error())
		return
	}
	call.Reply(b)
}

// ParseStats reads what StatsMethod returned.
func ParseStats(b []byte) (Stats, error) {
	var stats Stats
	err := parse(b, &stats)
	return stats, err
}
