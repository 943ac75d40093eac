package nanorpc

import (
	"errors"
	"fmt"

	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// lost reports whether an error of Await means that no reply will come.
func lost(err error) bool {
	return errors.Is(err, link.ErrGone) || errors.Is(err, link.ErrClosed) || errors.Is(err, link.ErrProtocol)
}

// statusError returns the error for a reply that is not StatusOK.
func statusError(status wire.Status, method, text string) error {
	switch status {
	case wire.StatusHandlerError:
		return &RemoteError{Method: method, Message: text}
	case wire.StatusHandlerException:
		return parseException(method, []byte(text))
	case wire.StatusUnknownMethod:
		return fmt.Errorf("%w: %q", ErrUnknownMethod, method)
	case wire.StatusTooLarge:
		return fmt.Errorf("%w: %s", ErrPayloadTooLarge, text)
	case wire.StatusExhausted:
		return fmt.Errorf("%w: %s", ErrExhausted, text)
	case wire.StatusDeadline, wire.StatusCancelled:
		return ErrDeadlineExceeded
	case wire.StatusShutdown:
		return fmt.Errorf("%w: it is shutting down", ErrServerGone)
	}
	return fmt.Errorf("%w: status %d", ErrIncompatible, status)
}
