// Package interop drives a real `stoker` with KEDA's own external-scaler client, as the KEDA operator
// does. STOKER_BIN names the program; every test writes its own configuration and takes free ports.
package interop

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/kedacore/keda/v2/pkg/scalers"
	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// What a healthy server does within moments gets this long on a busy machine.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	logf.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// server is one stoker process with ports and a folder of its own, which outlive a restart.
type server struct {
	t      *testing.T
	dir    string
	grpc   string
	http   string
	probes string
	cmd    *exec.Cmd
	exited chan error
	log    *output
	tls    string // the folder with tls.crt and tls.key, if it serves TLS
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

// newServer writes stoker.yaml: `grpcKeys` are further keys of server.grpc, `server` of server,
// `rest` the other sections. {dir} stands for the test's folder.
func newServer(t *testing.T, grpcKeys, serverKeys, rest string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), grpc: freeAddress(t), http: freeAddress(t), probes: freeAddress(t)}
	config := fmt.Sprintf(`apiVersion: stoker/v1
server:
  grpc: {listen: "%s"%s}
  http: {listen: "%s", auth: off}
  probes: {listen: "%s"}
%s
%s`, s.grpc, grpcKeys, s.http, s.probes, serverKeys, rest)
	s.files("inbox", 0)
	s.files("exact", 0)
	s.write("stoker.yaml", strings.ReplaceAll(config, "{dir}", s.dir))
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) write(name, content string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// files makes `folder` exist and hold exactly `count` files.
func (s *server) files(folder string, count int) {
	s.t.Helper()
	if err := os.MkdirAll(s.path(folder), 0o755); err != nil {
		s.t.Fatal(err)
	}
	entries, err := os.ReadDir(s.path(folder))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := len(entries); i < count; i++ {
		s.write(fmt.Sprintf("%s/job-%03d", folder, i), "x")
	}
	for i := len(entries) - 1; i >= count; i-- {
		if err := os.Remove(filepath.Join(s.path(folder), entries[i].Name())); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *server) start() {
	s.t.Helper()
	bin := os.Getenv("STOKER_BIN")
	if bin == "" {
		s.t.Fatal("STOKER_BIN is not set; build stoker and name it: STOKER_BIN=$PWD/build/dev/cli/stoker go test ./...")
	}
	s.log = &output{}
	s.cmd = exec.Command(bin, "serve", "--config", s.path("stoker.yaml"))
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan error, 1)
	go func(cmd *exec.Cmd, exited chan<- error) { exited <- cmd.Wait() }(s.cmd, s.exited)
	eventually(s.t, "stoker is ready", func() error {
		select {
		case err := <-s.exited:
			s.exited <- err
			s.t.Fatalf("stoker ended at once (%v):\n%s", err, s.log)
		default:
		}
		response, err := http.Get("http://" + s.probes + "/readyz")
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz says %s", response.Status)
		}
		return nil
	})
}

// stop asks politely and insists on a clean end.
func (s *server) stop() {
	s.t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		s.exited <- err
		if err != nil {
			s.t.Fatalf("stoker did not stop cleanly (%v):\n%s", err, s.log)
		}
	case <-time.After(patience):
		s.t.Fatal("stoker did not stop")
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

func (s *server) logged(text string) bool { return strings.Contains(s.log.String(), text) }

// trigger is a ScaledObject's trigger as KEDA hands it to its client.
func (s *server) trigger(metadata map[string]string) *scalersconfig.ScalerConfig {
	all := map[string]string{"scalerAddress": s.grpc}
	for key, value := range metadata {
		all[key] = value
	}
	return &scalersconfig.ScalerConfig{
		ScalableObjectName:      "etl",
		ScalableObjectNamespace: "team-a",
		ScalableObjectType:      "ScaledObject",
		TriggerType:             "external",
		TriggerMetadata:         all,
		AuthParams:              map[string]string{},
	}
}

func (s *server) policy(name string) *scalersconfig.ScalerConfig {
	return s.trigger(map[string]string{"policy": name})
}

func newScaler(t *testing.T, config *scalersconfig.ScalerConfig) scalers.Scaler {
	t.Helper()
	scaler, err := scalers.NewExternalScaler(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { scaler.Close(context.Background()) })
	return scaler
}

// answer is one round of KEDA's questions about one metric.
type answer struct {
	milli  int64 // the value in thousandths, summed as the HPA sums
	active bool
}

func ask(t *testing.T, scaler scalers.Scaler, metric string) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	values, active, err := scaler.GetMetricsAndActivity(ctx, metric)
	if err != nil {
		return answer{}, err
	}
	if len(values) != 1 || values[0].MetricName != metric {
		t.Fatalf("want exactly one value named %s, got %v", metric, values)
	}
	return answer{values[0].Value.MilliValue(), active}, nil
}

func awaitAnswer(t *testing.T, scaler scalers.Scaler, metric string, replicas int64) {
	t.Helper()
	want := answer{replicas * 1000, replicas > 0}
	eventually(t, fmt.Sprintf("%s is %d", metric, replicas), func() error {
		got, err := ask(t, scaler, metric)
		if err == nil && got != want {
			err = fmt.Errorf("got %+v", got)
		}
		return err
	})
}

// eventually asks until `check` is content, with a deadline.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s: %v", patience, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Policies that the tests share. `always` covers the day with two overlapping windows.
const policies = `
policies:
  inbox:
    replicas: {min: 0, max: 100}
    signals:
      files: {type: directory, path: "{dir}/inbox", targetSize: 2, interval: 1s, timeout: 1s}
  exact:
    replicas: {min: 0, max: 100}
    signals:
      files: {type: directory, path: "{dir}/exact", targetSize: 1, interval: 1s, timeout: 1s}
  always:
    replicas: {min: 0, max: 10}
    signals:
      morning: {type: cron, timezone: UTC, start: "0 0 * * *", end: "0 13 * * *", desiredReplicas: 4}
      evening: {type: cron, timezone: UTC, start: "0 12 * * *", end: "0 1 * * *", desiredReplicas: 4}
`

func newPolicyServer(t *testing.T, grpcKeys, serverKeys string) *server {
	t.Helper()
	return newServer(t, grpcKeys, serverKeys, policies)
}
