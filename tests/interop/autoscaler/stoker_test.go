// Package interop asks a real `stoker` for node groups with the Cluster Autoscaler's own expander client.
// STOKER_BIN names the program; every test writes its own configuration and takes free ports.
package interop

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a healthy server does within moments gets this long on a busy machine.
const patience = 30 * time.Second

// server is one stoker process with a folder of its own.
type server struct {
	t        *testing.T
	dir      string
	expander string
	cmd      *exec.Cmd
	exited   chan error
	log      *output
}

// output collects what the process writes, while tests read it.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// newServer starts a stoker whose expander is on, with this `capacity` section.
func newServer(t *testing.T, capacity string) *server {
	t.Helper()
	bin := os.Getenv("STOKER_BIN")
	if bin == "" {
		t.Fatal("STOKER_BIN is not set; build stoker and name it: STOKER_BIN=$PWD/build/dev/cli/stoker go test ./...")
	}
	s := &server{t: t, dir: t.TempDir(), expander: freeAddress(t), log: &output{}}
	s.writeCertificates()
	probes := freeAddress(t)
	s.write("stoker.yaml", fmt.Sprintf(`apiVersion: stoker/v1
server:
  grpc: {listen: "127.0.0.1:0"}
  http: {listen: "127.0.0.1:0", auth: off}
  probes: {listen: "%s"}
  expander: {enabled: true, listen: "%s", tls: {cert: "%s", key: "%s"}}
capacity: {%s}
`, probes, s.expander, s.path("tls.crt"), s.path("tls.key"), capacity))

	s.cmd = exec.Command(bin, "serve", "--config", s.path("stoker.yaml"), "--log-level", "debug")
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "HOME="+s.dir, "KUBECONFIG=") // no cluster of whoever runs this
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.exited = make(chan error, 1)
	go func() { s.exited <- s.cmd.Wait() }()
	t.Cleanup(s.kill)

	deadline := time.Now().Add(patience)
	for {
		response, err := http.Get("http://" + probes + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return s
			}
			err = fmt.Errorf("/readyz says %s", response.Status)
		}
		select {
		case err := <-s.exited:
			s.exited <- err
			t.Fatalf("stoker ended at once (%v):\n%s", err, s.log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("stoker is not ready: %v\n%s", err, s.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	err := <-s.exited
	s.exited <- err
	if s.t.Failed() {
		s.t.Logf("stoker's log:\n%s", s.log)
	}
}

// freeze stops the process, and returns when all its threads stand still: the signal alone takes its time.
// Connections are still accepted, and nothing is answered.
func (s *server) freeze() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	// WNOWAIT leaves the news to whoever waits for the end.
	for {
		err := unix.Waitid(unix.P_PID, s.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			return
		}
		if err != unix.EINTR {
			s.t.Fatal(err)
		}
	}
}

// writeCertificates makes ca.crt, and tls.crt and tls.key for 127.0.0.1.
func (s *server) writeCertificates() {
	s.t.Helper()
	ca := certificate("ca")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caKey := s.newKey()
	s.write("ca.crt", s.sign(ca, ca, caKey, caKey))

	leaf := certificate("stoker")
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	key := s.newKey()
	s.write("tls.crt", s.sign(leaf, ca, key, caKey))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("tls.key", encode("PRIVATE KEY", der))
}

func certificate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
}

func (s *server) newKey() *ecdsa.PrivateKey {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func (s *server) sign(cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) string {
	s.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		s.t.Fatal(err)
	}
	return encode("CERTIFICATE", der)
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
