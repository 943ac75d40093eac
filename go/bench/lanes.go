package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/shm"
)

const (
	cacheLine = 64
	// blockAlign keeps what different processes write 128 bytes apart: the processor fetches lines in pairs.
	blockAlign = 2 * cacheLine
	// A payload follows its word in the same line if it fits, else it begins on a line: unaligned copies are slower.
	nearPayload = 8
	maxBehind   = 3
	farPayload  = cacheLine

	maxIntroduction = 256 // bytes of JSON
)

var errIntroduction = errors.New("the client sent no valid segment")

// laneLayout describes a segment: for each caller a lane of two blocks, one written by the client and one by the server, each with a
// word that counts calls and room for a payload.
type laneLayout struct {
	Lanes   int `json:"lanes"`
	Payload int `json:"payload"`
}

func (l laneLayout) validate(p Params) error {
	if l.Lanes < 1 || l.Lanes > p.Inflight || l.Payload < 0 || l.Payload > p.MaxSize {
		return fmt.Errorf("%w: %d lanes of %d bytes", errIntroduction, l.Lanes, l.Payload)
	}
	return nil
}

// start returns the offset of the payload in its block.
func (l laneLayout) start() int {
	if l.Payload <= cacheLine-nearPayload {
		return nearPayload
	}
	return farPayload
}

// behind returns how many of the lines that the payload has behind the word's are to be asked for before they are written, as NanoRPC does. Of more the processor fetches most ahead itself.
func (l laneLayout) behind() int { return min((l.start()+l.Payload-1)/cacheLine, maxBehind) }

func (l laneLayout) block() int {
	return (l.start() + l.Payload + blockAlign - 1) / blockAlign * blockAlign
}

func (l laneLayout) size() int64 { return int64(l.Lanes) * 2 * int64(l.block()) }

// lane is one caller's part of a segment.
type lane struct {
	requestWord, replyWord *uint32
	request, reply         []byte
	behind                 int // lines
}

// prefetch asks for the lines behind a word that are to be written next, in a block of the lane.
func (l *lane) prefetch(word *uint32) {
	if l.behind > 0 {
		futex.PrefetchWriteAfter(word, l.behind)
	}
}

func (l laneLayout) lanes(segment *shm.Mapping) []lane {
	lanes := make([]lane, l.Lanes)
	payload := func(block int) []byte {
		start := block + l.start()
		return segment.Bytes()[start : start+l.Payload : start+l.Payload]
	}
	for i := range lanes {
		request := i * 2 * l.block()
		reply := request + l.block()
		lanes[i] = lane{
			requestWord: segment.Uint32(request),
			replyWord:   segment.Uint32(reply),
			request:     payload(request),
			reply:       payload(reply),
			behind:      l.behind(),
		}
	}
	return lanes
}

func sendSegment(conn *net.UnixConn, object *os.File, layout laneLayout) error {
	introduction, err := json.Marshal(layout)
	if err != nil {
		return err
	}
	_, _, err = conn.WriteMsgUnix(introduction, unix.UnixRights(int(object.Fd())), nil)
	return err
}

// receiveSegment returns what sendSegment sent. The caller closes the object.
func receiveSegment(conn *net.UnixConn) (*os.File, laneLayout, error) {
	var layout laneLayout
	introduction, rights := make([]byte, maxIntroduction), make([]byte, unix.CmsgSpace(4))
	n, nrights, _, _, err := conn.ReadMsgUnix(introduction, rights)
	if err != nil {
		return nil, layout, fmt.Errorf("receive a segment: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:nrights])
	if err != nil || len(messages) != 1 {
		return nil, layout, errIntroduction
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, layout, errIntroduction
	}
	object := os.NewFile(uintptr(fds[0]), "benchmark segment")
	if err := json.Unmarshal(introduction[:n], &layout); err != nil {
		object.Close()
		return nil, layout, fmt.Errorf("%w: %w", errIntroduction, err)
	}
	return object, layout, nil
}
