package endpoint

// Exception is the payload of a reply with wire.StatusHandlerException.
type Exception struct {
	Type      string `msgpack:"type"`      // as the server's language calls it
	Message   string `msgpack:"message"`   //
	Traceback string `msgpack:"traceback"` // empty unless the server tells
}

// ParseException reads the payload of such a reply.
func ParseException(b []byte) (Exception, error) {
	var e Exception
	err := parse(b, &e)
	return e, err
}
