package pycore

import (
	"context"
	"errors"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
)

// The statuses, returned as negative numbers. Python's errors module has the same list.
const (
	statusPending       = 1 // nothing yet: call again
	statusNotFound      = 2
	statusGone          = 3
	statusClosed        = 4
	statusDeadline      = 5
	statusUnknownMethod = 6
	statusTooLarge      = 7
	statusRemote        = 8 // the text lies at Reply
	statusExhausted     = 9
	statusIncompatible  = 10
	statusNotAllowed    = 11
	statusInUse         = 12
	statusInvalidName   = 13
	statusInvalidOption = 14
	statusInvalidHandle = 15
	statusFailed        = 16 // anything else: the text says what
	statusConnection    = 17 // a server's connection has ended: its number is in the higher bits
	statusCancelled     = 18 // the caller of a watched call does not wait any more: its ticket is in the higher bits
	statusException     = 19 // as statusRemote; what lies at Reply is no text but an exception
	statusUnsent        = 20 // as statusGone; but the call has not been submitted
)

// statusBits are the low bits of a failure; the higher ones are the number of its text.
const statusBits = 8

var statuses = []struct {
	err    error
	status int64
}{
	{rendezvous.ErrNotFound, statusNotFound},
	{link.ErrGone, statusGone},
	{rendezvous.ErrGone, statusGone},
	{link.ErrClosed, statusClosed},
	{link.ErrDeadline, statusDeadline},
	{context.DeadlineExceeded, statusDeadline},
	{link.ErrTooLarge, statusTooLarge},
	{link.ErrExhausted, statusExhausted},
	{shm.ErrNoSpace, statusExhausted},
	{rendezvous.ErrRefused, statusExhausted},
	{rendezvous.ErrDescriptors, statusExhausted},
	{endpoint.ErrUnsealed, statusIncompatible},
	{link.ErrProtocol, statusIncompatible},
	{wire.ErrLayout, statusIncompatible},
	{rendezvous.ErrVersion, statusIncompatible},
	{rendezvous.ErrHandshake, statusIncompatible},
	{rendezvous.ErrPeer, statusNotAllowed},
	{rendezvous.ErrDirectory, statusNotAllowed},
	{rendezvous.ErrInUse, statusInUse},
	{rendezvous.ErrName, statusInvalidName},
	{endpoint.ErrMethodName, statusInvalidName},
	{endpoint.ErrMethodUsed, statusInvalidName},
	{futex.ErrPolicy, statusInvalidOption},
}

// status returns the negative number for err.
func status(err error) int64 {
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return -s.status
		}
	}
	return -statusFailed
}

// replyStatus returns the negative number for a reply that is not StatusOK.
func replyStatus(s wire.Status) int64 {
	switch s {
	case wire.StatusHandlerError:
		return -statusRemote
	case wire.StatusHandlerException:
		return -statusException
	case wire.StatusUnknownMethod:
		return -statusUnknownMethod
	case wire.StatusTooLarge:
		return -statusTooLarge
	case wire.StatusExhausted:
		return -statusExhausted
	case wire.StatusShutdown:
		return -statusGone
	case wire.StatusDeadline, wire.StatusCancelled:
		return -statusDeadline
	}
	return -statusIncompatible
}

// texts keeps the texts of failures until Python takes them.
var texts table[string]

// failure returns status(err) with the number of its text in the higher bits.
func failure(err error) int64 {
	return status(err) - texts.add(err.Error())<<statusBits
}

// ErrorText returns, once, the text of a failure that has one: failure is the negative number. Otherwise it is empty.
func ErrorText(failure int64) string {
	text, _ := texts.take(-failure >> statusBits)
	return text
}
