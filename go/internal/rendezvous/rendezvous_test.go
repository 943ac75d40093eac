package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/trial"
)

const service = "squatted"

// each is how often each thing is found by a service in full size.
const each = 50

// foreign is a uid that has nothing to do with the tests.
const foreign = 54321

// privateDirectory returns a directory as services want it.
func privateDirectory(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "nanorpc")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files to another user")
	}
}

// must fails the test for errors in its preparation.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// dial connects without a handshake to wait for: what is tested comes before.
func dial(t *testing.T, dir string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	conn, segment, err := Dial(ctx, dir, service, Trust{})
	if err == nil {
		segment.File.Close()
		conn.Close()
	}
	return err
}

// squats are what somebody can leave where a service has its files. Each returns what must still be there, as it was.
var squats = map[string]struct {
	root bool
	make func(t *testing.T, path string) (kept string)
}{
	"a symbolic link to a file": {false, func(t *testing.T, path string) string {
		target := filepath.Join(t.TempDir(), "precious")
		must(t, os.WriteFile(target, []byte("precious"), 0o600), os.Symlink(target, path))
		return target
	}},
	"a dangling symbolic link": {false, func(t *testing.T, path string) string {
		must(t, os.Symlink(filepath.Join(t.TempDir(), "nowhere"), path))
		return path
	}},
	"a symbolic link to a socket": {false, func(t *testing.T, path string) string {
		target := filepath.Join(t.TempDir(), "socket")
		l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: target, Net: "unixpacket"})
		must(t, err, os.Symlink(target, path))
		t.Cleanup(func() { l.Close() })
		return target
	}},
	"a FIFO":      {false, func(t *testing.T, path string) string { must(t, unix.Mkfifo(path, 0o600)); return path }},
	"a directory": {false, func(t *testing.T, path string) string { must(t, os.Mkdir(path, 0o700)); return path }},
	"a device": {true, func(t *testing.T, path string) string {
		must(t, unix.Mknod(path, unix.S_IFCHR|0o600, 1<<8|3))
		return path
	}},
	"another user's regular file": {true, func(t *testing.T, path string) string {
		must(t, os.WriteFile(path, []byte("precious"), 0o666), os.Chown(path, foreign, foreign))
		return path
	}},
	"another user's socket": {true, func(t *testing.T, path string) string {
		l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
		must(t, err, os.Chown(path, foreign, foreign))
		t.Cleanup(func() { l.Close() })
		return path
	}},
}

// Whatever lies where the socket or the lock should be is refused, with an error that names it and says what to do, and is not followed or deleted.
func TestSquattedFiles(t *testing.T) {
	suffixes := []string{socketSuffix, lockSuffix}
	r := trial.Begin(t, "squatted files", "times", len(squats)*len(suffixes)*each)
	rounds := trial.Size(each, 1)
	for what, squat := range squats {
		for _, suffix := range suffixes {
			for range rounds {
				r.Run(t, what+" as "+suffix, len(squats)*len(suffixes)*rounds, func(t *testing.T) {
					if squat.root {
						needRoot(t)
					}
					mustRefuse(t, squat.make, suffix)
				})
			}
		}
	}
}

// mustRefuse has something lie where a service has its socket or lock.
func mustRefuse(t *testing.T, squat func(t *testing.T, path string) (kept string), suffix string) {
	t.Helper()
	dir := privateDirectory(t)
	path := filepath.Join(dir, service+suffix)
	kept := squat(t, path)
	before, err := os.Lstat(kept)
	must(t, err)

	names := make(chan []string, 1)
	go func() {
		running, _ := Services(dir)
		names <- running
	}()
	select {
	case running := <-names:
		if len(running) > 0 {
			t.Error("services:", running)
		}
	case <-time.After(5 * time.Second):
		t.Error("the list of services hangs")
	}
	if suffix == socketSuffix {
		if err := dial(t, dir); !errors.Is(err, ErrDirectory) {
			t.Errorf("dial: %v", err)
		}
	}
	l, err := Listen(dir, service, Access{})
	if err == nil {
		l.Close()
	}
	if !errors.Is(err, ErrDirectory) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("listen: %v", err)
	}
	after, err := os.Lstat(kept)
	if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() || before.Mode() != after.Mode() || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("%s has changed: %v, %v", kept, after, err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("it has been deleted: %v", err)
	}
	if suffix == socketSuffix {
		if _, err := os.Lstat(filepath.Join(dir, service+lockSuffix)); err == nil {
			t.Error("the server in vain has left its lock")
		}
	}
}

// A regular file of ours is no socket; as the lock of a server that has died it is taken.
func TestRegularFiles(t *testing.T) {
	dir := privateDirectory(t)
	must(t, os.WriteFile(filepath.Join(dir, service+socketSuffix), nil, 0o600))
	if _, err := Listen(dir, service, Access{}); !errors.Is(err, ErrDirectory) {
		t.Error(err)
	}
	if err := dial(t, dir); !errors.Is(err, ErrDirectory) {
		t.Error(err)
	}
	must(t, os.Remove(filepath.Join(dir, service+socketSuffix)), os.WriteFile(filepath.Join(dir, service+lockSuffix), []byte("123456 of long ago\n"), 0o666))
	l, err := Listen(dir, service, Access{})
	must(t, err)
	info, err := os.Stat(filepath.Join(dir, service+lockSuffix))
	must(t, err)
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("others can lock it: mode %04o", mode)
	}
	must(t, l.Close())
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Error("left behind:", left)
	}
}

// The socket of a dead server is replaced, with or without its lock's file; one at which somebody listens is not.
func TestStaleSocket(t *testing.T) {
	r := trial.Begin(t, "stale sockets", "times", 2*each)
	rounds := trial.Size(each, 1)
	for _, withLock := range []bool{false, true} {
		for range rounds {
			r.Run(t, fmt.Sprint("with lock ", withLock), 2*rounds, func(t *testing.T) { mustReplace(t, withLock) })
		}
	}
}

func mustReplace(t *testing.T, withLock bool) {
	t.Helper()
	dir := privateDirectory(t)
	path := filepath.Join(dir, service+socketSuffix)
	dead, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	must(t, err)
	if withLock {
		must(t, os.WriteFile(filepath.Join(dir, service+lockSuffix), []byte("1\n"), 0o600))
	}
	if _, err := Listen(dir, service, Access{}); !errors.Is(err, ErrInUse) {
		t.Errorf("beside one that listens without a lock: %v", err)
	}
	dead.SetUnlinkOnClose(false)
	must(t, dead.Close())
	if err := dial(t, dir); !errors.Is(err, ErrNotFound) {
		t.Errorf("dial a dead server: %v", err)
	}
	l, err := Listen(dir, service, Access{})
	must(t, err)
	if _, err := Listen(dir, service, Access{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	must(t, l.Close())
}

// A directory that is not its user's alone is refused by both ends and the list, with what to do.
func TestDirectories(t *testing.T) {
	other := privateDirectory(t)
	tests := []struct {
		what string
		root bool
		make func(t *testing.T, dir string) error
		want string
	}{
		{"a symbolic link", false, func(_ *testing.T, dir string) error { return os.Symlink(other, dir) }, "symbolic link"},
		{"writable by the group", false, func(_ *testing.T, dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770)) }, "chmod go-w"},
		{"writable by all", false, func(_ *testing.T, dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o1777)) }, "chmod go-w"},
		{"a file", false, func(_ *testing.T, dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		{"another user's", true, func(_ *testing.T, dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, foreign, foreign))
		}, "uid 54321"},
	}
	r := trial.Begin(t, "directories that others can change", "times", len(tests)*each)
	rounds := trial.Size(each, 1)
	for i := range len(tests) * rounds {
		test := tests[i%len(tests)]
		r.Run(t, test.what, len(tests)*rounds, func(t *testing.T) {
			if test.root {
				needRoot(t)
			}
			dir := filepath.Join(t.TempDir(), "nanorpc")
			must(t, test.make(t, dir))
			for _, named := range []string{dir, dir + "/"} {
				_, listenErr := Listen(named, service, Access{})
				_, listErr := Services(named)
				if test.what == "a file" {
					listErr = listenErr // it says what the system says
				}
				for _, err := range []error{listenErr, dial(t, named), listErr} {
					if !errors.Is(err, ErrDirectory) || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%s: %v", named, err)
					}
				}
			}
		})
	}
	if left, _ := os.ReadDir(other); len(left) > 0 {
		t.Error("the link was followed:", left)
	}
}

// A directory made for other users lets them in; one that is there and does not is refused.
func TestDirectoryForOthers(t *testing.T) {
	access := Access{UIDs: []int{foreign}}
	dir := filepath.Join(t.TempDir(), "run", "nanorpc")
	l, err := Listen(dir, service, access)
	must(t, err)
	for path, want := range map[string]os.FileMode{
		dir: 0o755, filepath.Join(dir, service+socketSuffix): 0o666, filepath.Join(dir, service+lockSuffix): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	must(t, l.Close(), os.Chmod(dir, 0o700))
	if _, err := Listen(dir, service, access); !errors.Is(err, ErrDirectory) || !strings.Contains(err.Error(), "chmod 755") {
		t.Error(err)
	}
	l, err = Listen(dir, service, Access{})
	must(t, err)
	if info, err := os.Stat(filepath.Join(dir, service+socketSuffix)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	must(t, l.Close())
}

func TestAccess(t *testing.T) {
	own := os.Geteuid()
	for _, test := range []struct {
		access Access
		client Peer
		groups []int
		want   bool
	}{
		{Access{}, Peer{UID: own, GID: 7}, nil, true},
		{Access{}, Peer{UID: own + 1, GID: os.Getegid()}, []int{os.Getegid()}, false},
		{Access{UIDs: []int{own + 1}}, Peer{UID: own + 1, GID: 7}, nil, true},
		{Access{UIDs: []int{own + 1}}, Peer{UID: own + 2, GID: own + 1}, []int{own + 1}, false},
		{Access{GIDs: []int{7}}, Peer{UID: own + 1, GID: 7}, nil, true},
		{Access{GIDs: []int{7}}, Peer{UID: own + 1, GID: 8}, []int{1, 7}, true},
		{Access{GIDs: []int{7}}, Peer{UID: 7, GID: 8}, []int{1, 8}, false},
		{Access{UIDs: []int{own + 1}, GIDs: []int{7}}, Peer{UID: own, GID: 8}, nil, true},
	} {
		err := test.access.admit(test.client, func() ([]int, error) { return test.groups, nil })
		if (err == nil) != test.want || err != nil && !errors.Is(err, ErrPeer) {
			t.Errorf("%+v, %+v, groups %v: %v", test.access, test.client, test.groups, err)
		}
	}
	failed := errors.New("no groups")
	if err := (Access{GIDs: []int{7}}).admit(Peer{UID: own + 1}, func() ([]int, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
}

// The kernel tells the groups of a peer, however many.
func TestPeerGroups(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	got, err := peerGroups(pair[0])
	must(t, err)
	want, err := unix.Getgroups()
	must(t, err)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}
