package rendezvous

import (
	"encoding/binary"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
)

// attachments are what a peer may send descriptors of: a segment, sealed or not, shared memory that is too small, and what is none.
func attachments(f *testing.F) []int {
	var all []int
	keep := func(file *os.File, err error) {
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { file.Close() })
		all = append(all, int(file.Fd()))
	}
	layout := wire.Layout{RequestArena: 1 << 16, ReplyArena: 1 << 16, MaxPayload: 1 << 14}
	for _, create := range []func(wire.Layout) (*wire.Segment, *os.File, error){wire.Create, wire.CreateSealed} {
		segment, file, err := create(layout)
		keep(file, err)
		f.Cleanup(func() { _ = segment.Close() })
	}
	keep(shm.Create(4096, 4096))
	keep(os.Open(os.DevNull))
	keep(os.Open("/dev/shm"))
	keep(os.Open("/proc/self/maps"))
	r, w, err := os.Pipe()
	keep(r, err)
	keep(w, err)
	return all
}

// pair returns a connection's end, and the peer's.
func pair(t *testing.T) (*Conn, *net.UnixConn) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { conn.Close() })
	}
	return &Conn{socket: ends[0]}, ends[1]
}

// lowestDescriptor returns the next descriptor that will be opened: it is larger after than before if one has been left open.
func lowestDescriptor(t *testing.T) int {
	fd, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	return fd
}

// FuzzHandshake: whatever a peer says in the handshake, with whatever descriptors, either end takes it for what it is or refuses it, and keeps none of the descriptors that it has no
// use for; and whatever packets come after a client's hello, only rings count.
func FuzzHandshake(f *testing.F) {
	attached := attachments(f)
	size := int64(wire.Layout{RequestArena: 1 << 16, ReplyArena: 1 << 16}.Size())
	f.Add(false, hello(0), []byte{}, []byte{1, 1, 2})
	f.Add(false, hello(helloSeals)[:15], []byte{0, 1}, []byte{})
	f.Add(true, welcome(welcomeOK, size, ""), []byte{0}, []byte{})
	f.Add(true, welcome(welcomeOK, size+1, ""), []byte{1, 2, 3}, []byte{})
	f.Add(true, welcome(welcomeOK, -1, ""), []byte{6, 7, 5, 4}, []byte{})
	f.Add(true, welcome(welcomeDenied, 0, "why"), []byte{0, 0}, []byte{})
	f.Add(true, welcome(welcomeRefused, 0, string(make([]byte, maxText))), []byte{}, []byte{})
	f.Add(true, welcome(welcomeVersion, 0, "")[:16], []byte{3}, []byte{})
	f.Fuzz(func(t *testing.T, server bool, message, descriptors, after []byte) {
		before := lowestDescriptor(t)
		c, peer := pair(t)
		var rights []byte
		if descriptors = descriptors[:min(len(descriptors), 8)]; len(descriptors) > 0 {
			var fds []int
			for _, d := range descriptors {
				fds = append(fds, attached[int(d)%len(attached)])
			}
			rights = unix.UnixRights(fds...)
		}
		message = message[:min(len(message), 2*(welcomeSize+maxText))]
		if _, _, err := peer.WriteMsgUnix(message, rights, nil); err != nil {
			t.Fatal(err)
		}
		if server {
			receive(t, c, message, len(descriptors) > 0)
		} else {
			greet(t, c, peer, message, after)
		}
		c.Close()
		peer.Close()
		if now := lowestDescriptor(t); now != before {
			t.Fatalf("descriptor %d has been left open", before)
		}
	})
}

// receive is what a client does.
func receive(t *testing.T, c *Conn, message []byte, descriptors bool) {
	_ = c.socket.SetDeadline(time.Now().Add(time.Minute))
	segment, err := c.receiveSegment(false)
	good := len(message) >= welcomeSize && binary.LittleEndian.Uint64(message) == wire.Magic &&
		binary.LittleEndian.Uint32(message[8:]) == wire.Version && binary.LittleEndian.Uint32(message[12:]) == welcomeOK && descriptors
	if good != (err == nil) || good != (segment.File != nil) {
		t.Fatalf("a welcome of %d bytes gives %+v, %v", len(message), segment, err)
	}
	if err != nil {
		return
	}
	defer segment.File.Close()
	if want := int64(binary.LittleEndian.Uint64(message[16:])); segment.Size != want {
		t.Fatalf("a size of %d is read as %d", want, segment.Size)
	}
	if opened, err := wire.Open(segment.File, segment.Size); err == nil {
		_ = opened.Close()
	}
}

// greet is what a server does.
func greet(t *testing.T, c *Conn, peer *net.UnixConn, message, after []byte) {
	err := c.Greet()
	good := len(message) >= helloSize && binary.LittleEndian.Uint64(message) == wire.Magic && binary.LittleEndian.Uint32(message[8:]) == wire.Version
	if good != (err == nil) {
		t.Fatalf("a hello of %d bytes: %v", len(message), err)
	}
	if err != nil {
		return
	}
	if want := message[12]&helloSeals != 0; c.WantsSeals() != want {
		t.Fatalf("the client wants seals: %v, and is taken to: %v", want, c.WantsSeals())
	}
	rings, want := 0, 0
	after = after[:min(len(after), 32)]
	for ; want < len(after) && after[want] == ringPacket; want++ {
	}
	for _, b := range after {
		if _, err := peer.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	peer.Close()
	if c.WaitEnd(func() { rings++ }); rings != want {
		t.Fatalf("%d packets of %v are taken for rings", rings, after)
	}
}
