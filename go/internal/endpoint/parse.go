package endpoint

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// maxAnswer bounds what is read of a server's answers, in bytes. A description with a thousand methods, or statistics with a hundred connections, have a quarter of that.
const maxAnswer = 1 << 20

// parse reads MessagePack of a peer's. It goes over it once before it decodes: the decoder makes room for as many elements as an array says that it has, which may be 2^32 in
// a message of some bytes, and a program that runs out of memory ends. When all elements have been seen, they are no more than there are bytes.
func parse(b []byte, value any) error {
	if len(b) > maxAnswer {
		return fmt.Errorf("%d bytes, more than %d", len(b), maxAnswer)
	}
	if err := msgpack.NewDecoder(bytes.NewReader(b)).Skip(); err != nil {
		return err
	}
	return msgpack.Unmarshal(b, value)
}
