package rendezvous

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGroups is the kernel's limit, NGROUPS_MAX.
const maxGroups = 65536

// peerGroups returns the supplementary groups of the process at the other end of a socket (SO_PEERGROUPS), for which x/sys/unix has no function.
func peerGroups(fd int) ([]int, error) {
	gids := make([]uint32, 64)
	for {
		size := uint32(len(gids)) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE && len(gids) < maxGroups: // the kernel has said how much it needs
			gids = make([]uint32, min(max(int(size/4), len(gids)*2), maxGroups))
			continue
		case errno != 0:
			return nil, fmt.Errorf("SO_PEERGROUPS: %w", errno)
		}
		groups := make([]int, size/4)
		for i := range groups {
			groups[i] = int(gids[i])
		}
		return groups, nil
	}
}
