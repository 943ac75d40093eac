package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// checkFile makes sure that what lies at a path of ours is a file of the given type (S_IFSOCK, S_IFREG), not a link to one, and belongs to one of the owners.
// Errors: fs.ErrNotExist, ErrDirectory.
func checkFile(path string, want uint32, owners ...int) error {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if found := stat.Mode & unix.S_IFMT; found != want {
		return fmt.Errorf("%w: %s is %s, where %s should be; find out whose it is and remove it, or choose another directory with %s",
			ErrDirectory, path, kind(found), kind(want), EnvDirectory)
	}
	if !slices.Contains(owners, int(stat.Uid)) {
		return fmt.Errorf("%w: %s belongs to uid %d, not to uid %d; find out why it is there and remove it, or choose another directory with %s",
			ErrDirectory, path, stat.Uid, owners[0], EnvDirectory)
	}
	return nil
}

func kind(format uint32) string {
	switch format {
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFREG:
		return "a regular file"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a FIFO"
	}
	return "a device"
}

// removeStale removes the socket of a server that has died. The caller holds the name's lock. Errors: ErrDirectory for what is no socket of ours; ErrInUse for one at which
// somebody listens who has not taken the lock.
func removeStale(path string) error {
	if err := checkFile(path, unix.S_IFSOCK, os.Geteuid()); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	const moment = time.Second // a socket answers at once, or has a full backlog
	ctx, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	if socket, err := connect(ctx, path); err == nil {
		socket.Close()
		return fmt.Errorf("%w: a process without a lock listens at %s; end it first", ErrInUse, path)
	} else if !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%w: a process without a lock seems to listen at %s: %w", ErrInUse, path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
