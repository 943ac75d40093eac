package nanorpc

import (
	"context"
	"fmt"
	"time"

	"nanorpc/go/internal/endpoint"
)

// Stats is what a server has counted since it was made. Counts lag behind by 63 calls of a connection at most, and not at all once it is idle.
type Stats struct {
	Service     string
	PID         int
	UID         int // the effective user of the server's process
	Uptime      time.Duration
	Methods     []MethodStats // by name; of the reserved ones those that have been called
	Connected   int           // connections
	Connections []ConnectionStats
}

// Counts are those of a method or a connection.
type Counts struct {
	Calls        uint64 // answered
	Errors       uint64 // of those, with anything but a reply
	InFlight     int    // taken and not answered
	RequestBytes uint64
	ReplyBytes   uint64
	Times        Times
}

// Times is a histogram of how long calls took on the server, from when one was taken to when it was answered: buckets in ascending order, each at most a quarter
// wide. Of calls that take some microseconds one in 64 is timed, and stands for all; of rare ones of a server in
// Python one in 512 at least.
type Times []TimeBucket

// TimeBucket counts the calls that took less than a time, and no less than that of the bucket before.
type TimeBucket struct {
	Below time.Duration
	Calls uint64
}

// Percentile returns a time in which p percent of the calls, 0 to 100, were answered: the upper end of a bucket. It is 0 if there were none.
func (t Times) Percentile(p float64) time.Duration {
	total := uint64(0)
	for _, b := range t {
		total += b.Calls
	}
	seen := uint64(0)
	for _, b := range t {
		if seen += b.Calls; float64(seen) >= p/100*float64(total) {
			return b.Below
		}
	}
	return 0
}

// MethodStats are a method's, over all connections, also those that have ended.
type MethodStats struct {
	Name string
	Counts
}

// ConnectionStats are a connection's. The server lists the 100 with the most calls, most first.
type ConnectionStats struct {
	ID  int64 // unique within the server
	PID int   // of the client
	Age time.Duration
	Counts
	Refused    uint64 // calls that came to no handler: of unknown methods, given up before, or after the server's end
	SpinsPaid  uint64 // the server's waits for calls that a spin has ended
	Sleeps     uint64 // the server's waits for calls that it has not
	Memory     int64  // bytes of shared memory that the connection takes
	ReplyUsed  int64  // bytes of the memory for replies in use
	ReplyArena int64  // bytes that it has grown to
}

// Stats asks the server what it has counted. It blocks like Call, and has its errors.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	b, err := c.Call(ctx, endpoint.StatsMethod, nil)
	if err != nil {
		return Stats{}, err
	}
	s, err := endpoint.ParseStats(b)
	if err != nil {
		return Stats{}, fmt.Errorf("%w: its statistics: %w", ErrIncompatible, err)
	}
	return newStats(s), nil
}

// Stats returns what the server has counted. It does not block.
func (s *Server) Stats() Stats { return newStats(s.endpoint.Stats()) }

func newStats(from endpoint.Stats) Stats {
	s := Stats{Service: from.Service, PID: from.PID, UID: from.UID, Uptime: time.Duration(from.UptimeNS), Connected: from.Connected}
	for _, m := range from.Methods {
		s.Methods = append(s.Methods, MethodStats{Name: m.Name, Counts: newCounts(m.Counts)})
	}
	for _, c := range from.Connections {
		s.Connections = append(s.Connections, ConnectionStats{
			ID: c.ID, PID: c.PID, Age: time.Duration(c.AgeNS), Counts: newCounts(c.Counts), Refused: c.Refused,
			SpinsPaid: c.SpinsPaid, Sleeps: c.Sleeps, Memory: c.Memory, ReplyUsed: c.ReplyUsed, ReplyArena: c.ReplyArena,
		})
	}
	return s
}

func newCounts(from endpoint.Counts) Counts {
	c := Counts{
		Calls: from.Calls, Errors: from.Errors, InFlight: from.InFlight,
		RequestBytes: from.RequestBytes, ReplyBytes: from.ReplyBytes,
	}
	for _, pair := range from.Times {
		c.Times = append(c.Times, TimeBucket{Below: time.Duration(pair[0]), Calls: uint64(pair[1])})
	}
	return c
}
