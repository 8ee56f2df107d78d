package interop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protowire"
	apiv1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/autoscaler/cluster-autoscaler/cloudprovider"
	"k8s.io/autoscaler/cluster-autoscaler/expander"
	"k8s.io/autoscaler/cluster-autoscaler/expander/grpcplugin"
	"k8s.io/autoscaler/cluster-autoscaler/expander/grpcplugin/protos"
	"k8s.io/autoscaler/cluster-autoscaler/expander/waste"
	schedulerframework "k8s.io/kubernetes/pkg/scheduler/framework"
)

// group is a node group of which the expander asks nothing but the name.
type group struct {
	cloudprovider.NodeGroup
	id string
}

func (g group) Id() string { return g.id }

// cluster collects what the autoscaler would ask about.
type cluster struct {
	options []expander.Option
	nodes   map[string]*schedulerframework.NodeInfo
}

// add a group of EKS nodes that takes these pods.
func (c *cluster) add(id, instanceType string, spot bool, nodes int, pods ...*apiv1.Pod) {
	lifecycle := "ON_DEMAND"
	if spot {
		lifecycle = "SPOT"
	}
	node := &apiv1.Node{ObjectMeta: metav1.ObjectMeta{Name: "template-" + id, Labels: map[string]string{
		apiv1.LabelInstanceTypeStable: instanceType, "eks.amazonaws.com/capacityType": lifecycle}}}
	node.Status.Allocatable = apiv1.ResourceList{
		apiv1.ResourceCPU: resource.MustParse("7910m"), apiv1.ResourceMemory: resource.MustParse("31482288Ki"),
		apiv1.ResourcePods: resource.MustParse("58")}
	node.Status.Capacity = node.Status.Allocatable
	info := schedulerframework.NewNodeInfo()
	info.SetNode(node)
	if c.nodes == nil {
		c.nodes = map[string]*schedulerframework.NodeInfo{}
	}
	c.nodes[id] = info
	c.options = append(c.options, expander.Option{NodeGroup: group{id: id}, NodeCount: nodes, Pods: pods})
}

func pod(name string, labels map[string]string) *apiv1.Pod {
	return &apiv1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team-a", Labels: labels},
		Spec: apiv1.PodSpec{Containers: []apiv1.Container{{Name: "spark", Image: "spark:4.0.1",
			Env: []apiv1.EnvVar{{Name: "SPARK_EXECUTOR_CORES", Value: "4"}},
			Resources: apiv1.ResourceRequirements{Requests: apiv1.ResourceList{
				apiv1.ResourceCPU: resource.MustParse("4"), apiv1.ResourceMemory: resource.MustParse("18Gi")}}}}}}
}

func sparkPods(role string, count int) []*apiv1.Pod {
	var pods []*apiv1.Pod
	for i := range count {
		pods = append(pods, pod(fmt.Sprintf("etl-%s-%d", role, i), map[string]string{"spark-role": role}))
	}
	return pods
}

func (s *server) filter() expander.Filter { return grpcplugin.NewFilter(s.path("ca.crt"), s.expander) }

func ids(options []expander.Option) []string {
	var names []string
	for _, option := range options {
		names = append(names, option.NodeGroup.Id())
	}
	slices.Sort(names)
	return names
}

func want(t *testing.T, got []string, groups ...string) {
	t.Helper()
	if !slices.Equal(got, groups) {
		t.Errorf("want %v, got %v", groups, got)
	}
}

// twoGroups has an option on demand and one on spot for the same pods.
func twoGroups(pods ...*apiv1.Pod) *cluster {
	c := &cluster{}
	c.add("od", "m5.2xlarge", false, len(pods), pods...)
	c.add("spot", "m5.2xlarge", true, len(pods), pods...)
	return c
}

func TestChoiceIsFollowed(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	executors := twoGroups(sparkPods("executor", 3)...)
	chosen := s.filter().BestOptions(executors.options, executors.nodes)
	want(t, ids(chosen), "spot")
	if len(chosen) == 1 && chosen[0].NodeCount != 3 {
		t.Errorf("the autoscaler's own option is not kept: %+v", chosen[0])
	}
	driver := twoGroups(append(sparkPods("driver", 1), sparkPods("executor", 2)...)...)
	want(t, ids(s.filter().BestOptions(driver.options, driver.nodes)), "od")

	// Groups that are no option come along, and are never chosen.
	executors.options = executors.options[:1]
	want(t, ids(s.filter().BestOptions(executors.options, executors.nodes)), "od")
}

func TestPricesDecide(t *testing.T) {
	t.Parallel()
	s := newServer(t, `nodeShapes: [{name: contract, nodeGroup: "contract-*", cpu: 8, memory: 32GiB, spot: true, pricePerHour: 0.01}]`)
	executors := sparkPods("executor", 12)
	c := &cluster{}
	c.add("small", "m5.2xlarge", true, 12, executors...)
	c.add("large", "m5.8xlarge", true, 2, executors...)
	want(t, ids(s.filter().BestOptions(c.options, c.nodes)), "large")
	c.add("contract-a", "never-heard-of", false, 12, executors...)
	want(t, ids(s.filter().BestOptions(c.options, c.nodes)), "contract-a")
}

func TestTiesGoToTheNextFilter(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	executors := sparkPods("executor", 2)
	c := &cluster{}
	c.add("zone-a", "m5.2xlarge", true, 2, executors...)
	c.add("zone-b", "m5.2xlarge", true, 2, executors...)
	c.add("od", "m5.2xlarge", false, 2, executors...)
	tied := s.filter().BestOptions(c.options, c.nodes)
	want(t, ids(tied), "zone-a", "zone-b")
	// --expander=grpc,least-waste: zone-b's nodes waste less now.
	c.nodes["zone-b"].Node().Status.Capacity[apiv1.ResourceMemory] = resource.MustParse("20Gi")
	want(t, ids(waste.NewFilter().BestOptions(tied, c.nodes)), "zone-b")
}

func TestOtherPodsAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	c := twoGroups(pod("web", map[string]string{"app": "web"}))
	want(t, ids(s.filter().BestOptions(c.options, c.nodes)), "od", "spot")
	c = &cluster{} // nothing known of the pods
	c.add("od", "m5.2xlarge", false, 1)
	c.add("spot", "m5.2xlarge", true, 1)
	want(t, ids(s.filter().BestOptions(c.options, c.nodes)), "od", "spot")
}

func TestStandInsCountAsWhatTheyStandInFor(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	fake := pod("capacity-buffer-etl-0", map[string]string{"stoker/stands-in-for": "executor"})
	fake.Annotations = map[string]string{"podType": "capacityBufferFakePod"}
	request := pod("etl-request-0", map[string]string{"spark-role": "executor"})
	request.Annotations = map[string]string{"autoscaling.x-k8s.io/consume-provisioning-request": "etl"}
	c := twoGroups(fake, request)
	want(t, ids(s.filter().BestOptions(c.options, c.nodes)), "spot")
}

// Whatever happens to Stoker, the autoscaler scales as without it.
func TestTroubleLeavesAllOptions(t *testing.T) {
	t.Parallel()
	c := twoGroups(sparkPods("executor", 1)...)
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, "")
		filter := s.filter()
		want(t, ids(filter.BestOptions(c.options, c.nodes)), "spot")
		s.kill()
		want(t, ids(filter.BestOptions(c.options, c.nodes)), "od", "spot")
	})
	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, "")
		filter := s.filter()
		want(t, ids(filter.BestOptions(c.options, c.nodes)), "spot")
		s.freeze()
		begin := time.Now()
		want(t, ids(filter.BestOptions(c.options, c.nodes)), "od", "spot")
		if took := time.Since(begin); took > patience {
			t.Errorf("the autoscaler waited %s", took)
		}
	})
	t.Run("another authority", func(t *testing.T) {
		t.Parallel()
		s, other := newServer(t, ""), newServer(t, "")
		filter := grpcplugin.NewFilter(other.path("ca.crt"), s.expander)
		want(t, ids(filter.BestOptions(c.options, c.nodes)), "od", "spot")
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, "")
		large := sparkPods("executor", 1)
		large[0].Annotations = map[string]string{"padding": strings.Repeat("x", 70<<20)}
		c := twoGroups(large...)
		want(t, ids(s.filter().BestOptions(c.options, c.nodes)), "od", "spot")
	})
}

func TestLargeMessages(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	executors := sparkPods("executor", 500)
	for _, executor := range executors {
		executor.Annotations = map[string]string{"padding": strings.Repeat("x", 1000)}
	}
	c := &cluster{}
	for i := range 20 {
		c.add(fmt.Sprintf("od-%d", i), "m5.2xlarge", false, 500, executors...)
	}
	c.add("spot", "m5.2xlarge", true, 500, executors...)
	want(t, ids(s.filter().BestOptions(c.options, c.nodes)), "spot") // over 10 MiB
}

// From 1.35 on the autoscaler sends nodes and pods as bytes, in fields that the module in go.mod does not know
// yet; they are put behind the ones that it does.
func newForm(t *testing.T, c *cluster) *protos.BestOptionsRequest {
	t.Helper()
	request := &protos.BestOptionsRequest{}
	for _, option := range c.options {
		message := &protos.Option{NodeGroupId: option.NodeGroup.Id(), NodeCount: int32(option.NodeCount)}
		var pods []byte
		for _, pod := range option.Pods {
			bytes, err := pod.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			pods = protowire.AppendBytes(protowire.AppendTag(pods, 5, protowire.BytesType), bytes)
		}
		message.ProtoReflect().SetUnknown(pods)
		request.Options = append(request.Options, message)
	}
	var nodes []byte
	for id, info := range c.nodes {
		node, err := info.Node().Marshal()
		if err != nil {
			t.Fatal(err)
		}
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id)
		entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), node)
		nodes = protowire.AppendBytes(protowire.AppendTag(nodes, 3, protowire.BytesType), entry)
	}
	request.ProtoReflect().SetUnknown(nodes)
	return request
}

func TestFormOfTheRequestSince135(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	trust, err := credentials.NewClientTLSFromFile(s.path("ca.crt"), "")
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.Dial(s.expander, grpc.WithTransportCredentials(trust))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ask := func(request *protos.BestOptionsRequest) []string {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		response, err := protos.NewExpanderClient(connection).BestOptions(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, option := range response.Options {
			names = append(names, option.NodeGroupId)
		}
		slices.Sort(names)
		return names
	}
	c := twoGroups(sparkPods("executor", 3)...)
	want(t, ask(newForm(t, c)), "spot")

	// What the autoscaler could not serialize is empty.
	request := newForm(t, c)
	request.ProtoReflect().SetUnknown(nil)
	want(t, ask(request), "od", "spot")
	request = newForm(t, c)
	for _, option := range request.Options {
		option.ProtoReflect().SetUnknown(nil)
	}
	want(t, ask(request), "od", "spot")
}
