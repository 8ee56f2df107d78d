package interop

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Prometheus goes away: the target holds, then KEDA gets an error for its fallback to act on, while specs
// stay; and all is well again soon after Prometheus is.
func TestHoldThenErrorThenRecovery(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"12"]}]}}`,
			time.Now().Unix())
	}))
	defer prometheus.Close()

	s := newServer(t, "", "", fmt.Sprintf(`
connections:
  prometheus:
    main: {url: "%s", interval: 1s, timeout: 1s, maxAge: 2s}
policies:
  lag:
    replicas: {min: 0, max: 50}
    onFault: {hold: 6s, then: fail}
    signals:
      lag: {type: prometheus, connection: main, query: "sum(lag)", threshold: 3}
`, prometheus.URL))
	scaler := newScaler(t, s.policy("lag"))
	awaitAnswer(t, scaler, "s0-stoker-lag", 4)

	down.Store(true)
	fell := time.Now()
	held := 0
	eventually(t, "the hold ends in an error", func() error {
		got, err := ask(t, scaler, "s0-stoker-lag")
		if err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Fatalf("want Unavailable, got %v", err)
			}
			return nil
		}
		if got.milli != 4000 || !got.active {
			t.Fatalf("a fault changed the target: %+v", got)
		}
		held++
		return fmt.Errorf("still %+v", got)
	})
	if after := time.Since(fell); held == 0 || after < 4*time.Second {
		t.Errorf("held for %s only", after)
	}
	if specs := scaler.GetMetricSpecForScaling(context.Background()); len(specs) != 1 {
		t.Errorf("specs must not depend on Prometheus, got %v", specs)
	}

	down.Store(false)
	awaitAnswer(t, scaler, "s0-stoker-lag", 4)
}
