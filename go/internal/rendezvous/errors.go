package rendezvous

import "errors"

// Errors of this package. Callers compare with errors.Is.
var (
	ErrName      = errors.New("invalid service name")
	ErrDirectory = errors.New("unsafe service directory")
	ErrInUse     = errors.New("service name in use")
	ErrNotFound  = errors.New("no server for this service")
	ErrVersion   = errors.New("protocol versions differ")
	ErrPeer      = errors.New("peer not allowed")
	ErrRefused   = errors.New("connection refused by the server")
	ErrHandshake = errors.New("handshake failed")
	// ErrDescriptors is a process, or a machine, with as many open files as it may have: see ulimit -n.
	ErrDescriptors = errors.New("too many open files")
	ErrGone        = errors.New("the server went away during the handshake")
)
