package endpoint

import (
	"slices"
	"sync"

	"nanorpc/go/internal/rendezvous"
)

const (
	// maxGreeting is how many clients may be in the handshake at once. Their hello is there when they are accepted, or a moment later: who is pushed out by so many others has
	// said nothing.
	maxGreeting = 128
	// maxDenied is the same for those who will be turned away: none of them takes the place of one who has access.
	maxDenied = 16
)

// handshakes are the clients that have connected and not said their hello. There are only so many: a further one ends the oldest. It is safe for concurrent use.
type handshakes struct {
	mu     sync.Mutex
	limit  int
	peers  []*rendezvous.Conn // oldest first
	closed bool
}

// add notes that a client's handshake has begun. It ends one that has begun before, and returns that, when there are too many.
func (h *handshakes) add(peer *rendezvous.Conn) (ended *rendezvous.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = peer.Close()
		return nil
	}
	if len(h.peers) >= h.limit {
		ended = h.peers[0]
		h.peers = slices.Delete(h.peers, 0, 1)
		_ = ended.Close()
	}
	h.peers = append(h.peers, peer)
	return ended
}

// done notes that a client has said its hello, or never will.
func (h *handshakes) done(peer *rendezvous.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.peers, peer); i >= 0 {
		h.peers = slices.Delete(h.peers, i, i+1)
	}
}

// close ends all handshakes, and those that would begin.
func (h *handshakes) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, peer := range h.peers {
		_ = peer.Close()
	}
	h.peers = nil
}
