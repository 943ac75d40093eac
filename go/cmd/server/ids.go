package main

import (
	"fmt"
	"math"
	"os/user"
	"strconv"
	"strings"
)

// idsInto adds the users or groups that a flag names: numbers, or names that lookup knows, with commas between them.
func idsInto(ids *[]int, lookup func(name string) (string, error)) func(string) error {
	return func(text string) error {
		for name := range strings.SplitSeq(text, ",") {
			id, err := strconv.ParseUint(name, 10, 32)
			if err != nil {
				number, unknown := lookup(name)
				if unknown != nil {
					return fmt.Errorf("%q is neither a name that this machine knows nor a number", name)
				}
				id, err = strconv.ParseUint(number, 10, 32)
			}
			if err != nil || id == math.MaxUint32 {
				return fmt.Errorf("%q is no user's or group's number", name)
			}
			*ids = append(*ids, int(id))
		}
		return nil
	}
}

func lookupUser(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func lookupGroup(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}
