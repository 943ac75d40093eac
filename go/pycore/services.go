package pycore

import (
	"encoding/json"

	"nanorpc/go/internal/rendezvous"
)

// Services returns the running services as JSON: {"services": [names]}, or {"status": positive number, "error": text}.
func Services(directory string) string {
	names, err := rendezvous.Services(rendezvous.Directory(directory))
	var answer any
	if err != nil {
		answer = map[string]any{"status": -status(err), "error": err.Error()}
	} else {
		answer = map[string]any{"services": append([]string{}, names...)} // a list also when there are none
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return `{"status": 16, "error": "the names of the services are no text"}` // not reached: names are letters
	}
	return string(b)
}
