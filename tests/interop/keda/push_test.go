package interop

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kedacore/keda/v2/pkg/scalers"
	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
)

// runPush starts KEDA's push client and returns its channel of activations.
func runPush(t *testing.T, config *scalersconfig.ScalerConfig) (scalers.PushScaler, <-chan bool) {
	t.Helper()
	config.TriggerType = "external-push"
	scaler, err := scalers.NewExternalPushScaler(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	active := make(chan bool)
	go scaler.Run(ctx, active)
	t.Cleanup(func() {
		cancel()
		for range active { // Run closes it
		}
		scaler.Close(context.Background())
	})
	return scaler, active
}

func awaitTrue(t *testing.T, active <-chan bool) {
	t.Helper()
	select {
	case value, open := <-active:
		if !open || !value {
			t.Fatalf("want true, got %v (open: %v)", value, open)
		}
	case <-time.After(patience):
		t.Fatal("waited in vain for an activation")
	}
}

func wantNothing(t *testing.T, active <-chan bool) {
	t.Helper()
	select {
	case value := <-active:
		t.Fatalf("want no message, got %v", value)
	default:
	}
}

func TestPushSaysTrueWhenOpenedActive(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	_, active := runPush(t, s.policy("always"))
	awaitTrue(t, active)
}

func TestPushSaysTrueAtEachEdge(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	poll := newScaler(t, s.policy("exact"))
	awaitAnswer(t, poll, "s0-stoker-exact", 0)
	_, active := runPush(t, s.policy("exact"))
	for range 2 {
		s.write("exact/job", "x")
		awaitTrue(t, active)
		awaitAnswer(t, poll, "s0-stoker-exact", 1)
		os.Remove(s.path("exact/job"))
		awaitAnswer(t, poll, "s0-stoker-exact", 0)
		wantNothing(t, active)
	}
}

func TestSpecsAreStreamedAtOnce(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	config := s.policy("always")
	config.TriggerIndex = 2
	scaler, active := runPush(t, config)
	awaitTrue(t, active)
	streamer, ok := scaler.(scalers.MetricSpecStreamer)
	if !ok {
		t.Fatal("this KEDA does not stream specs")
	}
	select {
	case specs := <-streamer.MetricSpecChan():
		if len(specs) != 1 || specs[0].External.Metric.Name != "s2-stoker-always" ||
			specs[0].External.Target.AverageValue.MilliValue() != 1000 {
			t.Errorf("got %v", specs)
		}
	case <-time.After(patience):
		t.Fatal("waited in vain for specs")
	}
}

// Streams end with OK before their connection's age does, so KEDA reopens them every 2 s or so and never
// backs off: each reopening says true again.
func TestStreamsEndWithOkAndComeBack(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, ", maxConnectionAge: 10s", "")
	_, active := runPush(t, s.policy("always"))
	for range 4 {
		began := time.Now()
		awaitTrue(t, active)
		if gap := time.Since(began); gap > 15*time.Second {
			t.Errorf("the stream was away for %s: KEDA backs off", gap)
		}
	}
}

// connections counts this machine's established IPv4 connections to the server's gRPC port.
func connections(t *testing.T, s *server) int {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(s.grpc[strings.LastIndex(s.grpc, ":")+1:])
	remote := fmt.Sprintf(":%04X", port)
	count := 0
	for _, line := range strings.Split(string(table), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 3 && strings.HasSuffix(fields[2], remote) && fields[3] == "01" {
			count++
		}
	}
	return count
}

func TestFiveHundredPushScalersOnOneConnection(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	const count = 500
	channels := make([]<-chan bool, count)
	for i := range channels {
		config := s.policy("exact")
		config.ScalableObjectName = fmt.Sprintf("etl-%d", i)
		_, channels[i] = runPush(t, config)
	}
	s.write("exact/job", "x")
	for _, active := range channels {
		awaitTrue(t, active)
	}
	if open := connections(t, s); open != 1 {
		t.Errorf("%d connections, want 1", open)
	}
	// All the while, calls are answered.
	awaitAnswer(t, newScaler(t, s.policy("exact")), "s0-stoker-exact", 1)
	s.stop() // a thousand streams end within the drain
	s.start()
	for _, active := range channels {
		awaitTrue(t, active)
	}
}
