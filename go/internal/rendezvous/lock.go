package rendezvous

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockName takes the lock that goes with a service's name. The kernel releases it when the process dies, so a socket whose lock is
// free is stale. It is an open file description lock (fcntl_locking(2)), which can be tested without being taken. Errors: ErrInUse, ErrDirectory.
func lockName(path, service string) (*os.File, error) {
	for {
		// Looked at before it is opened: that may do things, with a device.
		if err := checkFile(path, unix.S_IFREG, os.Geteuid()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock service name: %w", err)
		}
		lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			pid, _ := io.ReadAll(io.LimitReader(f, 32))
			f.Close()
			return nil, fmt.Errorf("%w: %s is served by process %s", ErrInUse, service, strings.TrimSpace(string(pid)))
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock service name: %w", err)
		}
		// A server that ended between open and lock has removed the file: then the lock is on a file without a name.
		if !sameFile(f, path) {
			f.Close()
			continue
		}
		// One that others can open they could keep locked.
		if err = f.Chmod(0o600); err == nil {
			err = f.Truncate(0)
		}
		if err == nil {
			_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock service name: %w", err)
		}
		return f, nil
	}
}

func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(held, named)
}

// lockHolder reports whether a living process holds the lock.
func lockHolder(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false
	}
	return lock.Type != unix.F_UNLCK
}
