package nanorpc

import (
	"context"
	"fmt"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/rendezvous"
)

// Services returns the names of the running services, sorted. WithDirectory says where to look.
// Errors: ErrNotAllowed for a directory that others can write.
func Services(options ...Option) ([]string, error) {
	s := defaults()
	for _, o := range options {
		o.applyDial(&s)
	}
	names, err := rendezvous.Services(rendezvous.Directory(s.directory))
	return names, public(err)
}

// Description is what a server says of itself.
type Description struct {
	Service    string
	PID        int
	Methods    []string // sorted
	MaxPayload int      // the longest request and reply, in bytes
	Version    string   // of the service; may be empty
	Doc        string   // what it is for; may be empty
	Details    []MethodDetail
}

// MethodDetail is what a service says of a method, if anything: those in Python do.
type MethodDetail = endpoint.MethodDetail

// Parameter is an argument that a method takes.
type Parameter = endpoint.Parameter

// Describe asks the server which methods it has. It blocks like Call, and has its errors.
func (c *Client) Describe(ctx context.Context) (Description, error) {
	b, err := c.Call(ctx, endpoint.DescribeMethod, nil)
	if err != nil {
		return Description{}, err
	}
	d, err := endpoint.ParseDescription(b)
	if err != nil {
		return Description{}, fmt.Errorf("%w: its description: %w", ErrIncompatible, err)
	}
	return Description{
		Service: d.Service, PID: d.PID, Methods: d.Methods, MaxPayload: int(d.MaxPayload), Version: d.Version, Doc: d.Doc, Details: d.Details.Methods,
	}, nil
}
