package bulk

import (
	"bytes"
	"testing"

	"golang.org/x/sys/cpu"
)

// Also where it is not used, as the processor is not one of Intel's.
func TestStorePages(t *testing.T) {
	if !cpu.X86.HasAVX512F {
		t.Skip("this processor has no AVX-512")
	}
	for _, length := range []int{0, group, 3 * group} {
		to, from := make([]byte, max(length, group))[:length], content(length) // so long memory begins with a page
		if storePages(to, from); !bytes.Equal(to, from) {
			t.Errorf("%d bytes differ", length)
		}
	}
}
