package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pinProcess keeps all threads of this process on one CPU, also those to come, which inherit it.
func pinProcess(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := setAffinity(&set); err != nil {
		return fmt.Errorf("pin to CPU %d: %w", cpu, err)
	}
	runtime.GOMAXPROCS(1)
	return nil
}

// setAffinity sets the CPUs of all threads of this process. It repeats until no thread is new: one that is not pinned yet may start
// another meanwhile.
func setAffinity(set *unix.CPUSet) error {
	done := make(map[int]bool)
	for {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		before := len(done)
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || done[tid] {
				continue
			}
			if err := unix.SchedSetaffinity(tid, set); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			done[tid] = true
		}
		if len(done) == before {
			return nil
		}
	}
}

// pinning undoes pinProcess.
type pinning struct {
	before unix.CPUSet
	cpu    int // of this process
}

// pinApart pins this process and returns the CPU for its peers, another core if there is one. The caller calls release.
func pinApart() (p *pinning, peer int, err error) {
	p = new(pinning)
	if err := unix.SchedGetaffinity(0, &p.before); err != nil {
		return nil, 0, fmt.Errorf("read CPU affinity: %w", err)
	}
	p.cpu, peer, err = chooseCPUs(&p.before)
	if err != nil {
		return nil, 0, err
	}
	return p, peer, pinProcess(p.cpu)
}

func (p *pinning) release() error {
	if err := setAffinity(&p.before); err != nil {
		return fmt.Errorf("restore CPU affinity: %w", err)
	}
	runtime.SetDefaultGOMAXPROCS()
	return nil
}

// chooseCPUs returns the two last usable CPUs of different cores, or else the two last: the first ones serve most interrupts.
func chooseCPUs(allowed *unix.CPUSet) (client, peer int, err error) {
	var usable []int
	for cpu := len(allowed)*64 - 1; cpu >= 0; cpu-- {
		if allowed.IsSet(cpu) {
			usable = append(usable, cpu)
		}
	}
	if len(usable) < 2 {
		return 0, 0, fmt.Errorf("%w: pinning takes two CPUs, %d can be used", ErrConfig, len(usable))
	}
	core := coreOf(usable[0])
	for _, cpu := range usable[1:] {
		if core != "" && coreOf(cpu) != core {
			return usable[0], cpu, nil
		}
	}
	return usable[0], usable[1], nil
}

// coreOf returns a text that the CPUs of one core share, or "" where the kernel does not say.
func coreOf(cpu int) string {
	siblings, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(siblings))
}
