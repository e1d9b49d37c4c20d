//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// endGroup asks the program and all it has started (docker clients, dumps) to end. The engine makes this host the leader
// of a process group, and its children stay in it; started by hand, only the program itself is asked.
func endGroup(program *os.Process) error {
	if syscall.Getpgrp() != os.Getpid() {
		return program.Signal(syscall.SIGTERM)
	}
	signal.Ignore(syscall.SIGTERM)
	return syscall.Kill(0, syscall.SIGTERM)
}
