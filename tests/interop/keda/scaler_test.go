package interop

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	autoscaling "k8s.io/api/autoscaling/v2"
)

func TestSpecIsOneReplicaPerUnit(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	for _, index := range []int{0, 7} {
		config := s.policy("always")
		config.TriggerIndex = index
		specs := newScaler(t, config).GetMetricSpecForScaling(context.Background())
		if len(specs) != 1 {
			t.Fatalf("want one spec, got %v", specs)
		}
		external := specs[0].External
		if want := fmt.Sprintf("s%d-stoker-always", index); external.Metric.Name != want {
			t.Errorf("metric is %s, want %s", external.Metric.Name, want)
		}
		if external.Target.Type != autoscaling.AverageValueMetricType ||
			external.Target.AverageValue.MilliValue() != 1000 {
			t.Errorf("target is %+v, want AverageValue 1", external.Target)
		}
	}
}

func TestScheduleIsAnswered(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	awaitAnswer(t, newScaler(t, s.policy("always")), "s0-stoker-always", 4)
}

func TestValueAndActivityFollowTheFiles(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	scaler := newScaler(t, s.policy("inbox"))
	awaitAnswer(t, scaler, "s0-stoker-inbox", 0)
	s.files("inbox", 5) // two for each replica
	awaitAnswer(t, scaler, "s0-stoker-inbox", 3)
	s.files("inbox", 0)
	awaitAnswer(t, scaler, "s0-stoker-inbox", 0)
}

func TestUnknownPolicyHasASpecAndNoValue(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	scaler := newScaler(t, s.policy("nowhere"))
	specs := scaler.GetMetricSpecForScaling(context.Background())
	if len(specs) != 1 || specs[0].External.Metric.Name != "s0-stoker-nowhere" {
		t.Fatalf("want the spec s0-stoker-nowhere, got %v", specs)
	}
	if _, err := ask(t, scaler, "s0-stoker-nowhere"); status.Code(err) != codes.NotFound {
		t.Fatalf("want NotFound, got %v", err)
	}
}

func TestRecoversFromARestart(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	scaler := newScaler(t, s.policy("always"))
	awaitAnswer(t, scaler, "s0-stoker-always", 4)
	s.stop()
	if _, err := ask(t, scaler, "s0-stoker-always"); status.Code(err) != codes.Unavailable {
		t.Fatalf("want Unavailable while stoker is down, got %v", err)
	}
	s.start()
	awaitAnswer(t, scaler, "s0-stoker-always", 4)
}

// A connection that ends by age must cost nobody an answer.
func TestConnectionAgeCostsNoCall(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, ", maxConnectionAge: 10s", "")
	scaler := newScaler(t, s.policy("always"))
	awaitAnswer(t, scaler, "s0-stoker-always", 4)
	for end := time.Now().Add(25 * time.Second); time.Now().Before(end); {
		if got, err := ask(t, scaler, "s0-stoker-always"); err != nil || got.milli != 4000 {
			t.Fatalf("got %v, %v", got, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// hpaReplicas is what the HPA makes of an AverageValue metric: nothing while the ratio of wanted to
// current is within the tolerance, else the sum over the target, rounded up.
func hpaReplicas(current, sumMilli, targetMilli int64, tolerance float64) int64 {
	ratio := float64(sumMilli) / (float64(targetMilli) * float64(current))
	if 1-tolerance <= ratio && ratio <= 1+tolerance {
		return current
	}
	return int64(math.Ceil(float64(sumMilli) / float64(targetMilli)))
}

func TestHPALandsWhereWeMeant(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	scaler := newScaler(t, s.policy("exact"))
	target := func() int64 {
		specs := scaler.GetMetricSpecForScaling(context.Background())
		if len(specs) != 1 {
			t.Fatalf("want one spec, got %v", specs)
		}
		return specs[0].External.Target.AverageValue.MilliValue()
	}
	for _, c := range []struct{ current, meant, withDefaultTolerance int64 }{
		{1, 20, 20},
		{20, 21, 20}, // the trap: 5 % more is within the default tolerance of 10 %
		{20, 22, 20},
		{20, 23, 23},
		{20, 18, 20}, // and it keeps executors that nobody needs
		{20, 17, 17},
	} {
		s.files("exact", int(c.meant))
		awaitAnswer(t, scaler, "s0-stoker-exact", c.meant)
		got, err := ask(t, scaler, "s0-stoker-exact")
		if err != nil {
			t.Fatal(err)
		}
		if replicas := hpaReplicas(c.current, got.milli, target(), 0); replicas != c.meant {
			t.Errorf("tolerance 0: %d to %d lands on %d", c.current, c.meant, replicas)
		}
		if replicas := hpaReplicas(c.current, got.milli, target(), 0.1); replicas != c.withDefaultTolerance {
			t.Errorf("tolerance 10%%: %d to %d lands on %d, not %d",
				c.current, c.meant, replicas, c.withDefaultTolerance)
		}
	}
}

func dial(t *testing.T, s *server) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	client := grpc_health_v1.NewHealthClient(dial(t, s))
	for _, service := range []string{"", "externalscaler.ExternalScaler"} {
		response, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || response.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, response, err)
		}
	}
}

func TestReflection(t *testing.T) {
	t.Parallel()
	s := newPolicyServer(t, "", "")
	stream, err := reflection.NewServerReflectionClient(dial(t, s)).ServerReflectionInfo(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	request := &reflection.ServerReflectionRequest{
		MessageRequest: &reflection.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range response.GetListServicesResponse().GetService() {
		if service.GetName() == "externalscaler.ExternalScaler" {
			return
		}
	}
	t.Errorf("externalscaler.ExternalScaler is not listed: %v", response)
}
