package endpoint

import (
	"bytes"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// What peers say of themselves and of their errors is read, or refused, whatever it is.
func FuzzParse(f *testing.F) {
	for _, value := range []any{
		Description{Service: "s", Methods: []string{"m"}, Details: Details{Methods: []MethodDetail{{Name: "m", Parameters: []Parameter{{Name: "p"}}}}}},
		Stats{Methods: []MethodStats{{Name: "m", Counts: Counts{Times: [][2]int64{{1, 2}}}}}, Connections: []ConnectionStats{{}}},
		Exception{Type: "T", Message: "m", Traceback: "t"},
	} {
		b, err := msgpack.Marshal(value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, key := range []string{"methods", "details", "connections"} { // arrays that have no end
		f.Add(append(append([]byte{0x81, 0xa0 | byte(len(key))}, key...), 0xdd, 0xff, 0xff, 0xff, 0xff))
	}
	f.Add(bytes.Repeat([]byte{0x91}, maxAnswer))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = ParseDescription(b)
		_, _ = ParseStats(b)
		_, _ = ParseException(b)
	})
}
