package torture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
	"nanorpc/go/nanorpc"
)

const (
	reuseArena    = 256 << 10
	reuseSideways = 8                  // connections at a time
	secretMark    = 0x5e_c2_e7_0f_a9d1 // begins a secret, of 16 bytes: after it comes whose it is
)

// TestReusedBuffers has clients send and get secrets, and look for those of others in all of the memory that they share with the server.
func TestReusedBuffers(t *testing.T) {
	const full = 10_000
	r := begin(t, "reused buffers", "connections", full)
	dir := t.TempDir()
	start(t, "keeper", dir)
	total := size(full, 40)
	var next atomic.Uint64
	var workers sync.WaitGroup
	var own, unwritten atomic.Int64
	for range reuseSideways {
		workers.Go(func() {
			for id := next.Add(1); id <= uint64(total); id = next.Add(1) {
				s := &spy{id: id, rng: rand.New(rand.NewPCG(rand.Uint64(), id))}
				if err := s.visit(dir, rendezvous.Trust{Seals: id%2 == 0}); err != nil {
					r.lose("connection %d: %v", id, err)
				}
				own.Add(int64(s.own))
				unwritten.Add(int64(s.unwritten))
				r.tried(1, total)
			}
		})
	}
	workers.Wait()
	r.note("%d at a time, every other one sealed; of %d loans and replies that were not written, %d held what the same connection had sent or got before", reuseSideways, unwritten.Load(), own.Load())
	if unwritten.Load() == 0 {
		r.lose("nothing has been looked at")
	}
}

// serveSecrets is a server whose methods reply with the request, and with what is in the memory of a reply.
func serveSecrets(dir string) error {
	srv := nanorpc.NewServer(service, nanorpc.WithDirectory(dir), nanorpc.WithArena(reuseArena), nanorpc.WithMaxPayload(reuseArena))
	err := errors.Join(
		srv.Handle("echo", func(_ context.Context, request []byte) ([]byte, error) { return request, nil }),
		srv.Handle("slow", func(_ context.Context, request []byte) ([]byte, error) {
			reply := bytes.Clone(request)
			time.Sleep(200 * time.Microsecond)
			return reply, nil
		}),
		srv.HandleRaw("unwritten", func(_ context.Context, x *nanorpc.Exchange) error {
			_, err := x.Reply(int(binary.LittleEndian.Uint64(x.Request())))
			return err
		}),
		srv.Listen(),
	)
	if err != nil {
		return err
	}
	ctx := stdinEnds()
	ready()
	return srv.Serve(ctx)
}

// spy is a client with a secret.
type spy struct {
	id     uint64
	rng    *rand.Rand
	client *endpoint.Client
	memory *shm.Mapping // the whole segment, as the kernel gives it

	unwritten int // loans and replies that nobody has written
	own       int // of which so many had a secret of this connection
}

// visit connects, sends and gets secrets, and looks for others: in fresh memory, where nothing may be, in what it is given unwritten, and at the end everywhere.
func (s *spy) visit(dir string, trust rendezvous.Trust) (err error) {
	if s.client, err = endpoint.DialTrusting(context.Background(), dir, service, futex.Adaptive, trust); err != nil {
		return err
	}
	defer s.client.Close()
	layout := s.client.Layout()
	if s.memory, err = shm.Map(s.client.File(), layout.Size()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.memory.Close()) }()
	const header = 4096
	if at := firstNonZero(s.memory.Bytes()[header:]); at >= 0 {
		return fmt.Errorf("fresh memory is not zero at %d", at+header)
	}
	for range 2 + s.rng.IntN(4) {
		n := 1 + s.rng.IntN(1<<s.rng.IntN(18)) // up to half of the arena
		if err := errors.Join(s.tell(n/16*16), s.take(n), s.borrow(n)); err != nil {
			return err
		}
	}
	if s.id%4 == 0 { // it leaves without waiting
		if _, err := s.submit("slow", s.secret(4800)); err != nil {
			return err
		}
	}
	_, err = s.foreign(s.memory.Bytes())
	return err
}

// secret returns n bytes of the secret, a multiple of 16: none is cut short.
func (s *spy) secret(n int) []byte {
	word := binary.LittleEndian.AppendUint64(nil, secretMark)
	word = binary.LittleEndian.AppendUint64(word, s.id)
	return bytes.Repeat(word, n/len(word)+1)[:n]
}

// foreign returns how many secrets there are, or an error if there is one of another connection.
func (s *spy) foreign(b []byte) (own int, err error) {
	mark := binary.LittleEndian.AppendUint64(nil, secretMark)
	for at := 0; ; own++ {
		i := bytes.Index(b[at:], mark)
		if i < 0 || len(b)-at-i < 16 {
			return own, nil
		}
		at += i + 8
		if id := binary.LittleEndian.Uint64(b[at:]); id != s.id {
			return own, fmt.Errorf("the secret of connection %d, at %d of %d bytes", id, at, len(b))
		}
	}
}

// see counts memory that nobody has written, and looks for secrets there.
func (s *spy) see(b []byte) error {
	own, err := s.foreign(b)
	s.unwritten++
	s.own += min(own, 1)
	return err
}

// tell sends a secret and gets it back.
func (s *spy) tell(n int) error {
	request := s.secret(n)
	return s.call("echo", request, func(reply []byte) error {
		if !bytes.Equal(reply, request) {
			return fmt.Errorf("another reply to %d bytes, of %d", n, len(reply))
		}
		return nil
	})
}

// take looks at a reply of n bytes that the server has not written.
func (s *spy) take(n int) error {
	return s.call("unwritten", binary.LittleEndian.AppendUint64(nil, uint64(n)), s.see)
}

// borrow looks at memory for a request of n bytes.
func (s *spy) borrow(n int) error {
	slot, err := s.client.Acquire(link.Wait{})
	if err != nil {
		return err
	}
	defer s.client.Release(slot)
	offset, err := s.client.Reserve(slot, n, link.Wait{})
	if err != nil {
		return err
	}
	return s.see(s.client.Bytes(offset, n))
}

// submit begins a call.
func (s *spy) submit(method string, request []byte) (slot int, err error) {
	if slot, err = s.client.Acquire(link.Wait{}); err != nil {
		return 0, err
	}
	offset, err := s.client.Reserve(slot, len(request), link.Wait{})
	if err != nil {
		s.client.Release(slot)
		return 0, err
	}
	copy(s.client.Bytes(offset, len(request)), request)
	s.client.Submit(slot, link.Submission{Method: wire.MethodID(method), Length: len(request)})
	return slot, nil
}

// call makes a call and looks at the reply where it lies.
func (s *spy) call(method string, request []byte, look func(reply []byte) error) error {
	slot, err := s.submit(method, request)
	if err != nil {
		return err
	}
	defer s.client.Release(slot)
	reply, err := s.client.Await(slot, link.Wait{})
	if err != nil {
		return err
	}
	b := s.client.Bytes(reply.Offset, reply.Length)
	if reply.Status != wire.StatusOK {
		return fmt.Errorf("%s: status %d: %s", method, reply.Status, b)
	}
	return look(b)
}

// firstNonZero returns where the first byte that is not zero is, or -1.
func firstNonZero(b []byte) int {
	var zero [4096]byte
	for at := 0; at < len(b); at += len(zero) {
		some := b[at:min(at+len(zero), len(b))]
		if bytes.Equal(some, zero[:len(some)]) {
			continue
		}
		return at + bytes.IndexFunc(some, func(r rune) bool { return r != 0 })
	}
	return -1
}
