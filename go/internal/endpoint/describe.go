package endpoint

import (
	"os"

	"github.com/vmihailenco/msgpack/v5"

	"nanorpc/go/internal/wire"
)

// reservedPrefix begins the names of methods that every server has.
const reservedPrefix = "nanorpc."

// DescribeMethod is the method that every server answers with its Description, as MessagePack.
const DescribeMethod = reservedPrefix + "describe"

// Description is what a server says of itself.
type Description struct {
	Service    string   `msgpack:"service"`
	PID        int      `msgpack:"pid"`
	Protocol   int      `msgpack:"protocol"`
	Methods    []string `msgpack:"methods"`     // sorted, without the reserved ones
	MaxPayload int64    `msgpack:"max_payload"` // bytes
	Arena      int64    `msgpack:"arena"`       // bytes, for requests, and as many for replies
	Details    `msgpack:",inline"`
}

// Details is what a service says of itself beyond its methods' names, if anything.
type Details struct {
	Version string         `msgpack:"version" json:"version"`
	Doc     string         `msgpack:"doc" json:"doc"`
	Methods []MethodDetail `msgpack:"details" json:"methods"`
}

// MethodDetail is what a service says of a method.
type MethodDetail struct {
	Name       string      `msgpack:"name" json:"name"`
	Kind       string      `msgpack:"kind" json:"kind"` // "typed", "bytes" or "raw"
	Parameters []Parameter `msgpack:"parameters" json:"parameters"`
	Returns    string      `msgpack:"returns" json:"returns"` // a type, as the service's language writes it
	Doc        string      `msgpack:"doc" json:"doc"`
	Idempotent bool        `msgpack:"idempotent" json:"idempotent"`
	Coroutine  bool        `msgpack:"coroutine" json:"coroutine"`
}

// Parameter is an argument that a method takes.
type Parameter struct {
	Name        string `msgpack:"name" json:"name"`
	Type        string `msgpack:"type" json:"type"` // as the service's language writes it
	Required    bool   `msgpack:"required" json:"required"`
	KeywordOnly bool   `msgpack:"keyword_only" json:"keyword_only"`
	Default     string `msgpack:"default" json:"default"` // JSON; empty: there is none, or none that JSON has
	Schema      string `msgpack:"schema" json:"schema"`   // of the type: JSON Schema, or empty
}

// SetDetails has the server say more of itself. It is called before Listen.
func (s *Server) SetDetails(d Details) { s.details = d }

// describe answers nanorpc.describe.
func (s *Server) describe(call *Call) {
	d := Description{
		Service:    s.service,
		PID:        os.Getpid(),
		Protocol:   wire.Version,
		Methods:    append([]string{}, s.Methods()...), // an empty list, not nil
		MaxPayload: s.options.Layout.MaxPayload,
		Arena:      s.options.Layout.RequestArena,
		Details:    s.details,
	}
	if d.Details.Methods == nil {
		d.Details.Methods = []MethodDetail{}
	}
	b, err := msgpack.Marshal(d)
	if err != nil {
		call.Fail(err.Error())
		return
	}
	call.Reply(b)
}

// ParseDescription reads what DescribeMethod returned.
func ParseDescription(b []byte) (Description, error) {
	var d Description
	err := parse(b, &d)
	return d, err
}
