package nanorpc

import (
	"context"
	"fmt"
	"math"
	"os"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/rendezvous"
)

// Peer is a client as the kernel tells it (SO_PEERCRED, unix(7)), not as it says itself: its process when it connected, and the user and group as which that ran.
type Peer = rendezvous.Peer

// PeerFrom returns the client of a call, from the context of its handler or one derived from that, before the handler returns. Of other contexts it reports false. It
// does not block.
func PeerFrom(ctx context.Context) (Peer, bool) { return endpoint.PeerFrom(ctx) }

// AllowUID has a server accept clients of other users as well. Those in other user namespaces that this one does not know all have the overflow uid, 65534.
//
// The service's directory must be named, with WithDirectory or $NANORPC_DIR: one that those users can enter and only this one can write, such as
// /run/nanorpc with mode 0755, with which it is created where it is missing. Clients say with WithServerUID that they want this user's server. Their shared memory is
// sealed: see WithSeals.
func AllowUID(uids ...int) ServerOption {
	return option(func(s *settings) { s.access.UIDs = append(s.access.UIDs, uids...) })
}

// AllowGID is AllowUID for groups: for all whose process has one of them as its effective or a supplementary group.
func AllowGID(gids ...int) ServerOption {
	return option(func(s *settings) { s.access.GIDs = append(s.access.GIDs, gids...) })
}

// WithServerUID has Dial accept a server of the given user, and no other; without it, of this user. The directory may belong to that user, to this one
// or to root.
func WithServerUID(uid int) DialOption {
	return option(func(s *settings) { s.trust.Other, s.trust.UID = true, uid })
}

// WithSeals has no end of a connection be able to make the shared memory shorter, which ends a process that touches it with SIGBUS: a server gives all clients
// such memory, a client asks for it, and connects to no server that does not give it. It takes no time, but is memory that no limit of /dev/shm bounds. Between
// different users it is always so.
//
// Without it, a server in Go survives a client that does so, but where goroutines other than the handler's read a request; clients do not. Servers in Python give such memory unasked.
func WithSeals() Option {
	return option(func(s *settings) { s.trust.Seals = true })
}

// WithAuthorizer has a server ask, before each call of any method, whether this client may call it. An error is the refusal: the caller gets "not allowed: " and its text as
// a *RemoteError, and the handler does not run. It is asked for the reserved methods too, "nanorpc.describe" and "nanorpc.stats", before all interceptors,
// and concurrently. If it panics the call is refused.
func WithAuthorizer(authorize func(ctx context.Context, method string, peer Peer) error) ServerOption {
	return option(func(s *settings) { s.authorize = authorize })
}

// validateAccess returns ErrInvalidOption with what to do.
func (s settings) validateAccess() error {
	for _, id := range append(append([]int{}, s.access.UIDs...), s.access.GIDs...) {
		if id < 0 || id >= math.MaxUint32 {
			return fmt.Errorf("%w: there is no user or group with number %d", ErrInvalidOption, id)
		}
	}
	if s.access.Others() && s.directory == "" && os.Getenv(rendezvous.EnvDirectory) == "" {
		return fmt.Errorf("%w: a service for other users needs a directory by name, such as /run/nanorpc, which they can enter and only you can write: say it with WithDirectory or %s",
			ErrInvalidOption, rendezvous.EnvDirectory)
	}
	return nil
}
