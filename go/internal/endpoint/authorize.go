package endpoint

import (
	"context"

	"nanorpc/go/internal/rendezvous"
)

// Authorizer decides whether a client may call a method. The error says why not.
type Authorizer func(ctx context.Context, method string, peer rendezvous.Peer) error

// authorized returns a handler that asks the server's Authorizer first; without one, the handler itself. An Authorizer that panics has not agreed.
func (s *Server) authorized(name string, h Handler) Handler {
	authorize := s.options.Authorize
	if authorize == nil || h == nil {
		return h
	}
	return func(call *Call) {
		if err := authorize(call.Context(), name, call.conn.peer.Peer()); err != nil {
			call.Fail("not allowed: " + err.Error())
			return
		}
		h(call)
	}
}

// peerKey is the key of a call's context for the client's credentials.
type peerKey struct{}

// PeerFrom returns the client's credentials, from the context of a call or one derived from it, while the call is being handled.
func PeerFrom(ctx context.Context) (rendezvous.Peer, bool) {
	peer, ok := ctx.Value(peerKey{}).(rendezvous.Peer)
	return peer, ok
}
