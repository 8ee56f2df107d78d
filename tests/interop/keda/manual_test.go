package interop

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
	autoscaling "k8s.io/api/autoscaling/v2"
)

const e2eMetric = "s0-external-scaler-e2e-test"

func newE2eServer(t *testing.T) *server {
	t.Helper()
	return newServer(t, "", "  manual: {enabled: true, kedaE2e: true}", "")
}

func (s *server) e2eTrigger(threshold string) *scalersconfig.ScalerConfig {
	return s.trigger(map[string]string{"metricThreshold": threshold})
}

// control sends what KEDA's e2e tests send to their own server.
func (s *server) control(path string) {
	s.t.Helper()
	response, err := http.Post("http://"+s.http+path, "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s", path, response.Status)
	}
}

// The values and thresholds of KEDA's external_scaler_so, external_scaler_sj and
// external_push_scaler tests, with the replicas that the HPA makes of them.
func TestStandsInForTheServerOfKedasE2eTests(t *testing.T) {
	t.Parallel()
	s := newE2eServer(t)
	for _, c := range []struct {
		threshold   string
		path        string
		targetMilli int64
		want        answer
		replicas    int64
	}{
		{"10", "/api/value/10", 10000, answer{10000, true}, 1},
		{"10", "/api/value/20", 10000, answer{20000, true}, 2},
		{"10", "/api/value/0", 10000, answer{0, false}, 0},
		{"1", "/api/value/3", 1000, answer{3000, true}, 3},
		{"6.111", "/api/floatvalue/22.222", 6111, answer{22222, true}, 4},
		{"6.111", "/api/floatvalue/0", 6111, answer{0, false}, 0},
	} {
		scaler := newScaler(t, s.e2eTrigger(c.threshold))
		specs := scaler.GetMetricSpecForScaling(context.Background())
		if len(specs) != 1 || specs[0].External.Metric.Name != e2eMetric {
			t.Fatalf("want the spec %s, got %v", e2eMetric, specs)
		}
		target := specs[0].External.Target
		if target.Type != autoscaling.AverageValueMetricType ||
			target.AverageValue.MilliValue() != c.targetMilli {
			t.Errorf("threshold %s: target is %+v", c.threshold, target)
		}
		s.control(c.path)
		eventually(t, fmt.Sprintf("%s of %s", c.path, c.threshold), func() error {
			got, err := ask(t, scaler, e2eMetric)
			if err == nil && got != c.want {
				err = fmt.Errorf("got %+v, want %+v", got, c.want)
			}
			return err
		})
		if c.replicas > 0 { // while active; the HPA never goes to 0
			if got := hpaReplicas(1, c.want.milli, c.targetMilli, 0.1); got != c.replicas {
				t.Errorf("%s of %s makes %d replicas, want %d", c.path, c.threshold, got, c.replicas)
			}
		}
	}
}

func TestPushesWhatKedasE2eTestsSet(t *testing.T) {
	t.Parallel()
	s := newE2eServer(t)
	scaler, active := runPush(t, s.e2eTrigger("6.111"))
	if specs := scaler.GetMetricSpecForScaling(context.Background()); len(specs) != 1 {
		t.Fatalf("want one spec, got %v", specs)
	}
	s.control("/api/floatvalue/22.222")
	awaitTrue(t, active)
}
