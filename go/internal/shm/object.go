package shm

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// directory is where glibc's shm_open(3) keeps its objects.
const directory = "/dev/shm"

// ErrNoSpace reports that /dev/shm has not enough room for an object.
var ErrNoSpace = errors.New("not enough shared memory in " + directory)

// Create makes a shared memory object of size bytes, every page of it allocated and zero, readable and writable by this user alone.
// The caller owns the returned file. Create blocks while the kernel clears the pages (about 0.25 ms per MiB).
//
// Pages are allocated now because a write to a page that a full /dev/shm cannot supply is a SIGBUS in whoever writes.
// The error is ErrNoSpace when they cannot be had.
func Create(size int64) (*os.File, error) {
	if size <= 0 {
		return nil, fmt.Errorf("shared memory size %d: must be positive", size)
	}
	f, err := createUnnamed()
	if err != nil {
		return nil, err
	}
	if err := allocate(f, size); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// createUnnamed opens an object that has no name. File systems without O_TMPFILE get a random name, removed at once:
// the object then has a name for some microseconds.
func createUnnamed() (*os.File, error) {
	const flags = unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Open(directory, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC|unix.O_EXCL, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "nanorpc segment"), nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return nil, fmt.Errorf("create shared memory in %s: %w", directory, err)
	}
	var random [12]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("create shared memory: %w", err)
	}
	name := directory + "/nanorpc-" + hex.EncodeToString(random[:])
	fd, err = unix.Open(name, flags|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create shared memory in %s: %w", directory, err)
	}
	if err := unix.Unlink(name); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("create shared memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "nanorpc segment"), nil
}

// allocate sets the size of f and takes all its pages.
func allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			// tmpfs gives back what it had allocated; begin again.
		case errors.Is(err, unix.ENOSPC):
			return fmt.Errorf("allocate %d bytes: %w", size, ErrNoSpace)
		default:
			return fmt.Errorf("allocate %d bytes of shared memory: %w", size, err)
		}
	}
}
