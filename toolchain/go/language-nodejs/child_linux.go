package main

import "syscall"

// childAttributes make the kernel end the program should this host be killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
