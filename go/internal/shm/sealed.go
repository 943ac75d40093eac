package shm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// seals keep an object as long as it is, for whoever has its descriptor: a mapping of it never raises SIGBUS while there is memory. They leave holes be punched.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// CreateSealed is Create for an object whose size nobody can change. It is anonymous memory (memfd_create(2)), as only that can be sealed: it does not count
// towards the limit of /dev/shm, but only towards the memory of the machine and of the control group. Nor does it go to those that are looked for there.
func CreateSealed(size, committed int64) (*os.File, error) {
	if err := checkSize(size, committed); err != nil {
		return nil, err
	}
	f, err := memfd()
	if err != nil {
		return nil, err
	}
	if err := sizeAndCommit(f, size, committed); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal shared memory: %w", err)
	}
	return f, nil
}

// memfd makes an object without executable permission, which kernels from 6.3 on can be told.
func memfd() (*os.File, error) {
	const name, flags = "nanorpc", unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("create sealed shared memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "nanorpc segment"), nil
}

// Sealed reports whether nobody can make an object shorter.
func Sealed(f *os.File) bool {
	got, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	return err == nil && got&unix.F_SEAL_SHRINK != 0
}

// Shared reports whether a file that a peer has sent is shared memory: one of another file system may make who touches it wait for a disk, a network or a program.
func Shared(f *os.File) bool {
	var stat unix.Stat_t
	var system unix.Statfs_t
	return unix.Fstat(int(f.Fd()), &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFREG &&
		unix.Fstatfs(int(f.Fd()), &system) == nil && system.Type == unix.TMPFS_MAGIC
}
