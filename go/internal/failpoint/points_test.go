package failpoint

import (
	"strings"
	"testing"
)

func TestEveryPointHasAName(t *testing.T) {
	seen := map[string]Point{}
	for _, p := range append(ClientPoints(), ServerPoints()...) {
		name := p.String()
		if other, ok := seen[name]; strings.HasPrefix(name, "Point(") || ok && other != p {
			t.Errorf("%d is called %s", p, name)
		}
		seen[name] = p
	}
}
