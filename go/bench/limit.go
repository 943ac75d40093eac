package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/shm"
)

const (
	// A spin in assembly cannot be preempted: this many rounds are some microseconds.
	spinRounds = 256
	// Callers that share the CPUs let each other run sooner.
	sharedSpinRounds = 32
)

// limit is two processes that spin on two cache lines, and with copies set also move the payload. The segment travels over a socket,
// which stays open to tell either side of the other's end.
type limit struct{ copies bool }

func (l limit) Name() string {
	if l.copies {
		return "limit-copy"
	}
	return "limit"
}

func (l limit) payload(size int) int {
	if l.copies {
		return size
	}
	return 0
}

func (limit) polls(string) bool { return true }

func (l limit) Serve(ctx context.Context, p Params, ready func() error) error {
	return serveSocket(ctx, string(uds), p, ready, func(conn net.Conn) {
		// The client, which sees the connection close, reports the failure.
		_ = serveLanes(conn.(*net.UnixConn), p)
	})
}

// serveLanes answers the callers of one connection until it closes.
func serveLanes(conn *net.UnixConn, p Params) error {
	object, layout, err := receiveSegment(conn)
	if err != nil {
		return err
	}
	defer object.Close()
	if err := layout.validate(p); err != nil {
		return err
	}
	segment, err := shm.Map(object, layout.size())
	if err != nil {
		return err
	}
	defer segment.Close()
	if _, err := conn.Write([]byte{1}); err != nil {
		return err
	}
	var closed atomic.Bool
	go watch(conn, &closed)
	answer(layout.lanes(segment), &closed)
	return nil
}

// watch sets closed when the connection closes; nothing is sent on it any more.
func watch(conn *net.UnixConn, closed *atomic.Bool) {
	_, _ = io.Copy(io.Discard, conn)
	closed.Store(true)
}

// answer echoes the calls on all lanes until closed is set. It spins all the time.
func answer(lanes []lane, closed *atomic.Bool) {
	seen := make([]uint32, len(lanes))
	rounds := spinRounds
	if len(lanes) > 1 {
		rounds = 1
	}
	for idle := 0; ; {
		if answerReady(lanes, seen) {
			idle = 0
			continue
		}
		futex.SpinWhile32(lanes[0].requestWord, seen[0], rounds)
		if idle += rounds; idle < 2*spinRounds {
			continue
		}
		if closed.Load() {
			return
		}
		idle = 0
		yield()
	}
}

// answerReady answers the calls that are there and reports whether there were any. seen holds each lane's last call.
func answerReady(lanes []lane, seen []uint32) bool {
	found := false
	for i := range lanes {
		l := &lanes[i]
		word := atomic.LoadUint32(l.requestWord)
		if word == seen[i] {
			continue
		}
		l.prefetch(l.replyWord)
		copy(l.reply, l.request)
		atomic.StoreUint32(l.replyWord, word)
		seen[i] = word
		found = true
	}
	return found
}

func (l limit) Connect(ctx context.Context, p Params, size, callers int) (Session, error) {
	layout := laneLayout{Lanes: callers, Payload: l.payload(size)}
	object, err := shm.Create(layout.size(), layout.size())
	if err != nil {
		return nil, err
	}
	defer object.Close()
	segment, err := shm.Map(object, layout.size())
	if err != nil {
		return nil, err
	}
	s := &laneSession{segment: segment, lanes: layout.lanes(segment)}
	s.conn, err = introduce(ctx, p, object, layout)
	if err != nil {
		return nil, errors.Join(err, segment.Close())
	}
	s.callers = make([]laneCaller, callers)
	rounds := spinRounds
	if callers > 1 {
		rounds = sharedSpinRounds
	}
	for i := range s.callers {
		s.callers[i] = laneCaller{lane: &s.lanes[i], closed: &s.closed, rounds: rounds}
	}
	go watch(s.conn, &s.closed)
	return s, nil
}

// introduce sends the segment to the peer and waits until the peer has mapped it.
func introduce(ctx context.Context, p Params, object *os.File, layout laneLayout) (*net.UnixConn, error) {
	dialed, err := dialSocket(ctx, string(uds), p)
	if err != nil {
		return nil, err
	}
	conn := dialed.(*net.UnixConn)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err = sendSegment(conn, object, layout)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("share memory with the peer: %w", err), conn.Close())
	}
	return conn, nil
}

// yield lets others run where there are more that spin than CPUs: goroutines of this process, then other processes, such as the peer.
func yield() {
	runtime.Gosched()
	_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // always succeeds
}

type laneSession struct {
	segment *shm.Mapping
	conn    *net.UnixConn
	lanes   []lane
	callers []laneCaller
	closed  atomic.Bool // by the peer or by interrupt
}

func (s *laneSession) Caller(i int) Caller { return &s.callers[i] }
func (s *laneSession) Interrupt()          { s.closed.Store(true) }
func (s *laneSession) Close() error        { return errors.Join(s.conn.Close(), s.segment.Close()) }

type laneCaller struct {
	*lane
	closed *atomic.Bool
	rounds int
	number uint32 // of the last call: the value of the lane's words
}

var errLaneClosed = errors.New("the peer has closed the connection")

func (c *laneCaller) Call(buffer, request []byte) ([]byte, error) {
	last := c.number
	c.number++
	copy(c.request, request)
	atomic.StoreUint32(c.requestWord, c.number)
	for {
		word := futex.SpinWhile32(c.replyWord, last, c.rounds)
		if word == c.number {
			buffer = append(buffer[:0], c.reply...)
			c.prefetch(c.requestWord)
			return buffer, nil
		}
		if word != last {
			return buffer, fmt.Errorf("reply %d to call %d", word, c.number)
		}
		if c.closed.Load() {
			return buffer, errLaneClosed
		}
		yield()
	}
}
