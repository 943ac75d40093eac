package rendezvous

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// EnvDirectory names the environment variable that overrides the default directory.
const EnvDirectory = "NANORPC_DIR"

const (
	socketSuffix = ".sock"
	lockSuffix   = ".lock"
)

// maxPath is what sockaddr_un (unix(7)) holds, less the terminating zero.
const maxPath = 107

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)

// Directory returns explicit if it is not empty, else $NANORPC_DIR, else $XDG_RUNTIME_DIR/nanorpc, else /tmp/nanorpc-<uid>.
func Directory(explicit string) string {
	if explicit != "" {
		return explicit
	}
	if dir := os.Getenv(EnvDirectory); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "nanorpc")
	}
	return "/tmp/nanorpc-" + strconv.Itoa(os.Geteuid())
}

// socketPath returns where the socket of a service lies.
func socketPath(dir, service string) (string, error) {
	if !namePattern.MatchString(service) {
		return "", fmt.Errorf("%w %q: use 1 to 64 letters, digits, '.', '_' and '-', not beginning with '.' or '-'", ErrName, service)
	}
	path := filepath.Join(dir, service+socketSuffix)
	if len(path) > maxPath {
		return "", fmt.Errorf("%w: the socket's path %s has %d bytes, the kernel takes %d: choose a shorter directory with %s", ErrDirectory, path, len(path), maxPath, EnvDirectory)
	}
	return path, nil
}

// checkDirectory makes sure that nobody but its owner can put a socket where a service's socket is looked for, and that this is a user to be trusted with it.
func checkDirectory(dir string, owners ...int) error {
	dir = filepath.Clean(dir) // lstat(2) follows a link before a slash
	var stat unix.Stat_t
	if err := unix.Lstat(dir, &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	switch mode := stat.Mode & 0o7777; {
	case stat.Mode&unix.S_IFMT == unix.S_IFLNK:
		return fmt.Errorf("%w: %s is a symbolic link; name the directory itself", ErrDirectory, dir)
	case stat.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%w: %s is not a directory", ErrDirectory, dir)
	case !slices.Contains(owners, int(stat.Uid)):
		return fmt.Errorf("%w: %s belongs to uid %d, not to uid %d; choose another with %s", ErrDirectory, dir, stat.Uid, owners[0], EnvDirectory)
	case mode&0o022 != 0:
		return fmt.Errorf("%w: others can write to %s (mode %04o); run: chmod go-w %s", ErrDirectory, dir, mode, dir)
	}
	return nil
}

// makeDirectory creates the directory where it is missing, and checks it.
func makeDirectory(dir string, access Access) error {
	dir = filepath.Clean(dir)
	mode := fs.FileMode(0o700)
	if access.Others() {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(dir), mode); err != nil {
		return fmt.Errorf("service directory: %w", err)
	}
	err := os.Mkdir(dir, mode)
	if err == nil {
		err = os.Chmod(dir, mode) // whatever the umask
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("service directory: %w", err)
	}
	if err := checkDirectory(dir, os.Geteuid()); err != nil || !access.Others() {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil && info.Mode()&0o011 == 0 {
		err = fmt.Errorf("%w: the users who are allowed to connect cannot enter %s (mode %04o); run: chmod 755 %s", ErrDirectory, dir, info.Mode().Perm(), dir)
	}
	return err
}

// Services returns the names of the services that run in a directory, sorted. A directory that does not exist has none.
func Services(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	if err := checkDirectory(dir, os.Geteuid()); err != nil {
		return nil, err
	}
	var running []string
	for _, entry := range entries {
		service, ok := strings.CutSuffix(entry.Name(), socketSuffix)
		if ok && namePattern.MatchString(service) && lockHolder(filepath.Join(dir, service+lockSuffix)) {
			running = append(running, service)
		}
	}
	return running, nil
}
