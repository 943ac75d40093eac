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

// ErrNoSpace reports that there is no room for an object, or for a mapping of one. Its details say what is full, and what to do.
var ErrNoSpace = errors.New("not enough shared memory")

// Create makes a shared memory object of size bytes, all zero, readable and writable by this user alone. It has pages for the first
// committed bytes; others are to be committed before they are touched. The caller owns the returned file. Errors: ErrNoSpace.
func Create(size, committed int64) (*os.File, error) {
	if err := checkSize(size, committed); err != nil {
		return nil, err
	}
	f, err := createUnnamed()
	if err != nil {
		return nil, err
	}
	if err := sizeAndCommit(f, size, committed); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkSize(size, committed int64) error {
	if size <= 0 || committed < 0 || committed > size {
		return fmt.Errorf("shared memory of %d bytes, %d of them with pages: impossible", size, committed)
	}
	return nil
}

// sizeAndCommit gives a fresh object its size and first pages.
func sizeAndCommit(f *os.File, size, committed int64) error {
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("set the size of shared memory to %d bytes: %w", size, err)
	}
	if committed == 0 {
		return nil
	}
	return Commit(f, 0, committed)
}

// Commit gives pages to length bytes at offset of an object, which stay as they are where there are pages already. It blocks while the kernel
// clears new ones, about 0.25 ms per MiB.
//
// A write to memory without pages takes them as well, but if /dev/shm is full it is a SIGBUS in whoever writes. Errors: ErrNoSpace.
func Commit(f *os.File, offset, length int64) error {
	for {
		err := fallocate(f, 0, offset, length)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			// tmpfs gives back what it had allocated; begin again.
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.ENOMEM):
			return fmt.Errorf("allocate %d bytes: %w: %s", length, ErrNoSpace, full(f, length))
		default:
			return fmt.Errorf("allocate %d bytes of shared memory: %w", length, err)
		}
	}
}

// full says why an object cannot have so many more bytes of pages. Only the file system of /dev/shm has a size, not that of sealed objects.
func full(f *os.File, bytes int64) string {
	var system unix.Statfs_t
	conn, err := f.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { _ = unix.Fstatfs(int(fd), &system) })
	}
	if err == nil && system.Blocks > 0 && int64(system.Bavail)*system.Bsize < bytes {
		return directory + " is full: end what uses it (fuser -v -m " + directory + "), or make it larger (mount -o remount,size=2G " + directory + ")"
	}
	return "the machine, or the control group, has no more memory"
}

// Decommit takes the pages of length bytes at offset away, all of them, whoever maps them (FALLOC_FL_PUNCH_HOLE, fallocate(2)). The range reads
// as zero after.
func Decommit(f *os.File, offset, length int64) error {
	if err := fallocate(f, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, length); err != nil {
		return fmt.Errorf("give back %d bytes of shared memory: %w", length, err)
	}
	return nil
}

// Memory returns how many bytes of an object have pages.
func Memory(f *os.File) (int64, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stat unix.Stat_t
	failed := conn.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &stat) })
	const blockSize = 512 // the unit of st_blocks, whatever the file system's (stat(2))
	return stat.Blocks * blockSize, errors.Join(failed, err)
}

// fallocate keeps the descriptor open during the call: f may be closed meanwhile, and the number be another file's.
func fallocate(f *os.File, mode uint32, offset, length int64) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	failed := conn.Control(func(fd uintptr) { err = unix.Fallocate(int(fd), mode, offset, length) })
	return errors.Join(failed, err)
}

// Duplicate returns a new descriptor of f's file, which is the caller's to close.
func Duplicate(f *os.File) (int, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var duplicate int
	failed := conn.Control(func(fd uintptr) { duplicate, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	return duplicate, errors.Join(failed, err)
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
