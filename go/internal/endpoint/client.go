package endpoint

import (
	"context"
	"errors"
	"fmt"
	"os"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
)

// Client is a connection to a server.
type Client struct {
	*link.Client
	peer *rendezvous.Conn
	file *os.File
}

// Dial connects to a service of this user. See rendezvous.Dial for what blocks and the errors.
func Dial(ctx context.Context, dir, service string, spin futex.Policy) (*Client, error) {
	return DialTrusting(ctx, dir, service, spin, rendezvous.Trust{})
}

// ErrUnsealed is a segment that the server could make shorter, where that has been ruled out.
var ErrUnsealed = errors.New("the server's shared memory is not sealed")

// DialTrusting is Dial for servers as described by trust. Errors: also ErrUnsealed.
func DialTrusting(ctx context.Context, dir, service string, spin futex.Policy, trust rendezvous.Trust) (*Client, error) {
	peer, received, err := rendezvous.Dial(ctx, rendezvous.Directory(dir), service, trust)
	if err != nil {
		return nil, err
	}
	var segment *wire.Segment
	if trust.Sealed() && !shm.Sealed(received.File) {
		err = ErrUnsealed
	} else {
		segment, err = wire.Open(received.File, received.Size)
	}
	if err != nil {
		received.File.Close()
		peer.Close()
		return nil, fmt.Errorf("connect to service %s: %w", service, err)
	}
	failpoint.Hit(failpoint.DialMapped)
	c := &Client{Client: link.NewClient(segment, spin, peer.Ring), peer: peer, file: received.File}
	go func() {
		peer.WaitEnd(nil) // also ends when Close closes the socket, after it has set its own cause
		c.end(link.ErrGone)
	}()
	return c, nil
}

// Await is link.Client.Await, and ends the connection to a server that breaks the protocol: nothing it says later can be believed.
func (c *Client) Await(slot int, w link.Wait) (link.Reply, error) {
	reply, err := c.Client.Await(slot, w)
	if err != nil && errors.Is(err, link.ErrProtocol) {
		c.end(link.ErrProtocol)
	}
	return reply, err
}

// File returns the segment's file, for another mapping of it in this process. It is closed by Close.
func (c *Client) File() *os.File { return c.file }

// PeerPID returns the server's process id.
func (c *Client) PeerPID() int { return c.peer.PeerPID() }

// Close ends the connection. Callers that wait return link.ErrClosed.
func (c *Client) Close() { c.end(link.ErrClosed) }

func (c *Client) end(cause error) {
	c.Client.Close(cause)
	_ = c.peer.Close()
	_ = c.file.Close()
}
