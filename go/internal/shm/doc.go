// Package shm creates POSIX shared memory objects and maps them.
//
// An object lives in /dev/shm, as those of shm_open(3) do, but is created without a name (O_TMPFILE, open(2)), so that
// no moment exists at which a killed process could leave it behind. Its descriptor travels to the peer over a socket.
package shm
