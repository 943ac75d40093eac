// Package rendezvous brings the two ends of a connection together: a Unix socket with the service's name, the kernel's credentials, the
// protocol's version, and a descriptor of the segment. After that the socket carries nothing; its end is the news of the peer's death.
package rendezvous
