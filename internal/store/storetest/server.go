package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

const superuser = "postgres"

// server is a running PostgreSQL that listens on a Unix socket only.
type server struct {
	dir  string // of socket and data
	cmd  *exec.Cmd
	gone chan error
}

// start makes a cluster in a directory of its own and starts its server.
func start() (*server, error) {
	initdb, err := tool("initdb")
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "busbar-pg-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, gone: make(chan error, 1)}
	if err := errors.Join(s.prepare(initdb, who), s.run(who)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *server) prepare(initdb string, who *syscall.Credential) error {
	if who != nil {
		if err := os.Chown(s.dir, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.Command(initdb, "--pgdata", s.data(), "--username", superuser, "--auth", "trust", "--no-sync",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US")
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// run starts the server and returns once it is ready. It ends with the test
// binary, however that ends.
func (s *server) run(who *syscall.Credential) error {
	postgres, err := tool("postgres")
	if err != nil {
		return err
	}
	s.cmd = exec.Command(postgres, "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "max_wal_size=2GB")
	s.cmd.Dir = s.dir
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT}
	log, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the death of the starting thread counts as that of the process
		defer runtime.UnlockOSThread()
		if err := s.cmd.Start(); err != nil {
			ready <- err
			return
		}
		var said strings.Builder
		told := false
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if !told {
				said.WriteString(lines.Text() + "\n")
			}
			if !told && strings.Contains(lines.Text(), "ready to accept connections") {
				told = true
				ready <- nil
			}
		}
		err := s.cmd.Wait()
		if !told {
			ready <- fmt.Errorf("the server ended: %w\n%s", err, said.String())
		}
		s.gone <- err
	}()
	return <-ready
}

// stop ends the server at once and removes its data.
func (s *server) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.gone
	return errors.Join(err, os.RemoveAll(s.dir))
}

// unprivileged returns who runs the server: PostgreSQL refuses root. nil is who runs the test.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
