package nanorpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"nanorpc/go/nanorpc"
)

func TestErrorsOfCalls(t *testing.T) {
	const limit = 100_000
	_, where, _ := startServer(t, nanorpc.WithMaxPayload(limit))
	client := dial(t, where)
	length := func(n int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }
	long := strings.Repeat("long ", 2000)
	for _, c := range []struct {
		name, method string
		request      []byte
		want         error
		text         string
	}{
		{"unknown method", "nope", nil, nanorpc.ErrUnknownMethod, `"nope"`},
		{"request too large", "echo", make([]byte, limit+1), nanorpc.ErrPayloadTooLarge, "100001 bytes, the server accepts 100000"},
		{"reply too large", "pattern", length(limit + 1), nanorpc.ErrPayloadTooLarge, "100001 bytes, the limit is 100000"},
		{"largest", "pattern", length(limit), nil, ""},
		{"handler's error", "fail", []byte("no more tea"), nil, "fail: no more tea"},
		{"long error", "fail", []byte(long), nil, long[:4000]},
		{"panic", "panic", []byte("oh no"), nil, "panicked: oh no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := client.Call(context.Background(), c.method, c.request)
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			var remote *nanorpc.RemoteError
			if c.want == nil && c.text != "" && !errors.As(err, &remote) {
				t.Errorf("%v is no RemoteError", err)
			}
			if c.text == "" && err != nil {
				t.Error(err)
			}
			if c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
				t.Errorf("%v lacks %q", err, c.text)
			}
			mustEcho(t, client, []byte("nothing else has changed"))
		})
	}
}

func TestErrorsOfDial(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name, service, dir string
		want               error
	}{
		{"no directory", "test", filepath.Join(t.TempDir(), "missing"), nanorpc.ErrServerNotFound},
		{"no socket", "test", t.TempDir(), nanorpc.ErrServerNotFound},
		{"empty name", "", t.TempDir(), nanorpc.ErrInvalidName},
		{"path as a name", "../test", t.TempDir(), nanorpc.ErrInvalidName},
		{"long name", strings.Repeat("n", 65), t.TempDir(), nanorpc.ErrInvalidName},
		{"long path", "test", "/tmp/" + strings.Repeat("d", 100), nanorpc.ErrNotAllowed},
	} {
		if _, err := nanorpc.Dial(ctx, c.service, nanorpc.WithDirectory(c.dir)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []nanorpc.ServerOption
	}{
		{"no arena", []nanorpc.ServerOption{nanorpc.WithArena(0)}},
		{"huge arena", []nanorpc.ServerOption{nanorpc.WithArena(1 << 60)}},
		{"no payload", []nanorpc.ServerOption{nanorpc.WithMaxPayload(0)}},
		{"payload above arena", []nanorpc.ServerOption{nanorpc.WithArena(1 << 20), nanorpc.WithMaxPayload(1<<20 + 1)}},
		{"block above arena", []nanorpc.ServerOption{nanorpc.WithArena(3 << 20), nanorpc.WithMaxPayload(5 << 19)}},
	} {
		srv := nanorpc.NewServer("test", append(c.options, nanorpc.WithDirectory(t.TempDir()))...)
		if err := srv.Listen(); !errors.Is(err, nanorpc.ErrInvalidOption) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	srv := nanorpc.NewServer("test")
	for _, name := range []string{"", "nanorpc.describe", strings.Repeat("m", 256)} {
		if err := srv.Handle(name, nil); !errors.Is(err, nanorpc.ErrInvalidName) {
			t.Errorf("method %q: %v", name, err)
		}
	}
	if _, err := nanorpc.ParseSpinPolicy("lazy"); !errors.Is(err, nanorpc.ErrInvalidOption) {
		t.Error(err)
	}
}

func TestSecondServerOnAName(t *testing.T) {
	_, where, dir := startServer(t)
	second := nanorpc.NewServer(service, where)
	err := second.Listen()
	if !errors.Is(err, nanorpc.ErrServiceInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("%v, want ErrServiceInUse with process %d", err, os.Getpid())
	}
	mustEcho(t, dial(t, where), []byte("the first serves on"))
	other := nanorpc.NewServer("other", nanorpc.WithDirectory(dir))
	if err := other.Listen(); err != nil {
		t.Error("another name in the directory:", err)
	}
	if err := other.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestUnsafeDirectories(t *testing.T) {
	root := t.TempDir()
	make := func(name string, mode os.FileMode) string {
		dir := filepath.Join(root, name)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	file := filepath.Join(root, "file")
	link := filepath.Join(root, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(make("target", 0o700), link)); err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{"world": make("world", 0o777), "group": make("group", 0o770), "sticky": make("sticky", 0o1777), "file": file, "link": link}
	if os.Geteuid() == 0 {
		dirs["stranger"] = make("stranger", 0o700)
		if err := os.Chown(dirs["stranger"], 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	for name, dir := range dirs {
		where := nanorpc.WithDirectory(dir)
		if err := nanorpc.NewServer(service, where).Listen(); !errors.Is(err, nanorpc.ErrNotAllowed) {
			t.Errorf("listen in %s: %v", name, err)
		}
		if _, err := nanorpc.Dial(context.Background(), service, where); !errors.Is(err, nanorpc.ErrNotAllowed) {
			t.Errorf("dial in %s: %v", name, err)
		}
	}
}
