package interop

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Two executors for each replica, and a count of those that run.
const headroomPolicies = `
policies:
  room:
    replicas: {min: 0, max: 20, executorsPerReplica: 2}
    signals:
      files: {type: directory, path: "{dir}/inbox", targetSize: 1, interval: 1s}
    capacity:
      maxExecutors: 9
      running: {type: directory, path: "{dir}/exact", targetSize: 1, interval: 1s}
`

// What KEDA scales placeholder pods by.
func TestHeadroomIsAMetricOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newServer(t, "", "", headroomPolicies)
	config := s.trigger(map[string]string{"policy": "room", "output": "headroom"})
	placeholders := newScaler(t, config)
	workers := newScaler(t, s.policy("room"))
	specs := placeholders.GetMetricSpecForScaling(context.Background())
	if len(specs) != 1 || specs[0].External.Metric.Name != "s0-stoker-room-headroom" {
		t.Fatalf("want the spec s0-stoker-room-headroom, got %v", specs)
	}
	_, active := runPush(t, config)
	awaitAnswer(t, placeholders, "s0-stoker-room-headroom", 0)
	s.files("inbox", 4) // eight executors
	awaitTrue(t, active)
	awaitAnswer(t, workers, "s0-stoker-room", 4)
	awaitAnswer(t, placeholders, "s0-stoker-room-headroom", 8)
	s.files("exact", 5) // five of them run
	awaitAnswer(t, placeholders, "s0-stoker-room-headroom", 3)
	s.files("inbox", 9)
	awaitAnswer(t, placeholders, "s0-stoker-room-headroom", 9)
	s.files("exact", 18)
	awaitAnswer(t, placeholders, "s0-stoker-room-headroom", 0)
	awaitAnswer(t, workers, "s0-stoker-room", 9)
}

func TestHeadroomOfAPolicyWithoutCapacity(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	scaler := newScaler(t, s.trigger(map[string]string{"policy": "always", "output": "headroom"}))
	specs := scaler.GetMetricSpecForScaling(context.Background())
	if len(specs) != 1 || specs[0].External.Metric.Name != "s0-stoker-always-headroom" {
		t.Fatalf("want the spec s0-stoker-always-headroom, got %v", specs)
	}
	if _, err := ask(t, scaler, "s0-stoker-always-headroom"); status.Code(err) != codes.NotFound {
		t.Fatalf("want NotFound, got %v", err)
	}
}
