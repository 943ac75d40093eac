// Package endpoint joins rendezvous and link: Client is a connected calling end, Server accepts connections and runs handlers on calls.
// The public packages for Go and Python are built on it.
package endpoint
