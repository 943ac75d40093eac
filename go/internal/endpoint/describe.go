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
}

// describe answers nanorpc.describe.
func (s *Server) describe(call *Call) {
	b, err := msgpack.Marshal(Description{
		Service:    s.service,
		PID:        os.Getpid(),
		Protocol:   wire.Version,
		Methods:    append([]string{}, s.Methods()...), // an empty list, not nil
		MaxPayload: s.options.Layout.MaxPayload,
		Arena:      s.options.Layout.RequestArena,
	})
	if err != nil {
		call.Fail(err.Error())
		return
	}
	call.Reply(b)
}

// ParseDescription reads what DescribeMethod returned.
func ParseDescription(b []byte) (Description, error) {
	var d Description
	err := msgpack.Unmarshal(b, &d)
	return d, err
}
