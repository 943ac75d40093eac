package torture

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"nanorpc/go/nanorpc"
)

// serve serves the methods that the tests call until the standard input ends.
func serve(dir string, options ...nanorpc.ServerOption) error {
	srv := nanorpc.NewServer(service, append(options, nanorpc.WithDirectory(dir))...)
	var waiting atomic.Int64
	err := errors.Join(
		srv.Handle("echo", func(_ context.Context, request []byte) ([]byte, error) { return request, nil }),
		srv.Handle("sha256", func(_ context.Context, request []byte) ([]byte, error) {
			digest := sha256.Sum256(request)
			return digest[:], nil
		}),
		srv.Handle("wait", func(ctx context.Context, _ []byte) ([]byte, error) {
			waiting.Add(1)
			defer waiting.Add(-1)
			<-ctx.Done()
			return nil, ctx.Err()
		}),
		srv.Handle("waiting", func(context.Context, []byte) ([]byte, error) {
			return binary.LittleEndian.AppendUint64(nil, uint64(waiting.Load())), nil
		}),
		srv.Handle("late", answerLate),
		srv.Listen(),
	)
	if err != nil {
		return err
	}
	ctx := stdinEnds()
	ready()
	return srv.Serve(ctx)
}

// answerLate returns a letter after the time that it says, whoever has given up meanwhile.
func answerLate(_ context.Context, request []byte) ([]byte, error) {
	l, err := open(request)
	if err != nil {
		return nil, err
	}
	if delay := l.delay(); delay > 0 {
		time.Sleep(delay)
	}
	// The request is to be the same until it has been answered.
	if again, err := open(request); err != nil || again.id() != l.id() {
		return nil, fmt.Errorf("the request has changed from %x: %w", l.id(), err)
	}
	return request, nil
}

// letter is a payload that tells itself from others: an id, a delay in ns, some bytes, and their checksum.
type letter []byte

const minLetter = 20

// seal fills b, of 20 bytes or more, as a letter.
func seal(b []byte, id uint64, delay time.Duration, rng *rand.Rand) letter {
	binary.LittleEndian.PutUint64(b, id)
	binary.LittleEndian.PutUint64(b[8:], uint64(delay))
	for i := 16; i+12 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], rng.Uint64())
	}
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.ChecksumIEEE(b[:len(b)-4]))
	return b
}

// open checks that b is a letter.
func open(b []byte) (letter, error) {
	if len(b) < minLetter || binary.LittleEndian.Uint32(b[len(b)-4:]) != crc32.ChecksumIEEE(b[:len(b)-4]) {
		return nil, fmt.Errorf("%d bytes that are no letter", len(b))
	}
	return b, nil
}

func (l letter) id() uint64 { return binary.LittleEndian.Uint64(l) }

// delay returns the delay, which a hostile client may have changed since it was checked.
func (l letter) delay() time.Duration {
	return min(time.Duration(binary.LittleEndian.Uint64(l[8:])), time.Second)
}
