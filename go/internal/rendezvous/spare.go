package rendezvous

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// outOfDescriptors reports whether an error says that there are too many open files, in this process or on the machine.
func outOfDescriptors(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// spare is a descriptor that a server keeps for the day on which it has no other: to tell clients so. Else they would wait for their handshake in vain,
// and not know why. It is safe for concurrent use.
type spare struct {
	mu     sync.Mutex
	file   *os.File // nil: there is none
	closed bool
}

// keep opens the descriptor where there is none, and reports whether there is one now.
func (s *spare) keep() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && !s.closed {
		s.file, _ = os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	}
	return s.file != nil || s.closed
}

// give closes the descriptor, so that its number is free, and reports whether there was one.
func (s *spare) give() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return false
	}
	_ = s.file.Close()
	s.file = nil
	return true
}

// close gives the descriptor up.
func (s *spare) close() {
	s.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

const noDescriptors = "the server has as many open files as it may: let it have more (ulimit -n)"

// Spare makes sure that there is a descriptor with which the next client can be refused, or returns an ErrDescriptors: then one that has just been accepted has taken
// it, and is to be refused itself.
func (l *Listener) Spare() error {
	if !l.spare.keep() {
		return fmt.Errorf("%w: %s", ErrDescriptors, noDescriptors)
	}
	return nil
}

// refusal is for how long the client that waits next may take over its hello, which is to be read before it can be answered.
const refusal = 100 * time.Millisecond

// refuseOne accepts the client that waits with the spare descriptor, and tells it why it gets no connection. It reports whether it could.
func (s *spare) refuseOne(l *net.UnixListener) bool {
	if !s.give() {
		return false
	}
	defer s.keep()
	socket, err := l.AcceptUnix()
	if err != nil {
		return false
	}
	defer socket.Close()
	var hello [helloSize]byte
	if err := socket.SetDeadline(time.Now().Add(refusal)); err == nil {
		_, _ = socket.Read(hello[:])
	}
	(&Conn{socket: socket}).Refuse(noDescriptors)
	return true
}
