// A cloud that sells nodes which are entries in the API server and nothing else: what the Cluster Autoscaler's provider
// `externalgrpc` asks. A node is ready as soon as it is bought; nothing runs on it.
//
//	cloud KUBECONFIG LISTEN GROUPS
//
// GROUPS: a JSON list of {"id", "size", "max", "cpu", "memory", "labels", "sold_out"}; of "size" nodes each group has from
// the start. One that is sold out sells none.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/autoscaler/cluster-autoscaler/cloudprovider/externalgrpc/protos"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const groupLabel = "cloud.test/group"

type group struct {
	ID     string            `json:"id"`
	Size   int               `json:"size"`
	Max    int               `json:"max"`
	CPU    string            `json:"cpu"`
	Memory string            `json:"memory"`
	Labels map[string]string `json:"labels"`
	Out    bool              `json:"sold_out"`

	bought int      // nodes ever, for their names
	nodes  []string // names
}

type cloud struct {
	protos.UnimplementedCloudProviderServer
	client kubernetes.Interface

	mutex  sync.Mutex
	groups []*group
}

func (c *cloud) find(id string) (*group, error) {
	for _, g := range c.groups {
		if g.ID == id {
			return g, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "no group %q", id)
}

func (g *group) node(name string) *corev1.Node {
	labels := map[string]string{groupLabel: g.ID, corev1.LabelHostname: name, corev1.LabelOSStable: "linux"}
	for key, value := range g.Labels {
		labels[key] = value
	}
	resources := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse(g.CPU),
		corev1.ResourceMemory:           resource.MustParse(g.Memory),
		corev1.ResourcePods:             resource.MustParse("110"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.NodeSpec{ProviderID: "cloud://" + name},
		Status: corev1.NodeStatus{
			Capacity: resources, Allocatable: resources,
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
				LastHeartbeatTime: metav1.Now()}},
		},
	}
}

func (c *cloud) buy(ctx context.Context, g *group) error {
	g.bought++
	node, err := c.client.CoreV1().Nodes().Create(ctx, g.node(fmt.Sprintf("%s-%d", g.ID, g.bought)), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	node.Spec.Taints = nil // admission says not-ready; the controller that lifts it does not run
	if _, err = c.client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{}); err != nil {
		return err
	}
	g.nodes = append(g.nodes, node.Name)
	return nil
}

func (g *group) message() *protos.NodeGroup {
	return &protos.NodeGroup{Id: g.ID, MaxSize: int32(g.Max)}
}

func (c *cloud) NodeGroups(context.Context, *protos.NodeGroupsRequest) (*protos.NodeGroupsResponse, error) {
	answer := &protos.NodeGroupsResponse{}
	for _, g := range c.groups {
		answer.NodeGroups = append(answer.NodeGroups, g.message())
	}
	return answer, nil
}

func (c *cloud) NodeGroupForNode(_ context.Context, r *protos.NodeGroupForNodeRequest) (*protos.NodeGroupForNodeResponse, error) {
	g, err := c.find(r.GetNode().GetLabels()[groupLabel])
	if err != nil {
		return &protos.NodeGroupForNodeResponse{NodeGroup: &protos.NodeGroup{}}, nil
	}
	return &protos.NodeGroupForNodeResponse{NodeGroup: g.message()}, nil
}

func (c *cloud) GPULabel(context.Context, *protos.GPULabelRequest) (*protos.GPULabelResponse, error) {
	return &protos.GPULabelResponse{Label: "cloud.test/gpu"}, nil
}

func (c *cloud) GetAvailableGPUTypes(context.Context, *protos.GetAvailableGPUTypesRequest) (*protos.GetAvailableGPUTypesResponse, error) {
	return &protos.GetAvailableGPUTypesResponse{}, nil
}

func (c *cloud) Cleanup(context.Context, *protos.CleanupRequest) (*protos.CleanupResponse, error) {
	return &protos.CleanupResponse{}, nil
}

func (c *cloud) Refresh(context.Context, *protos.RefreshRequest) (*protos.RefreshResponse, error) {
	return &protos.RefreshResponse{}, nil
}

func (c *cloud) NodeGroupTargetSize(_ context.Context, r *protos.NodeGroupTargetSizeRequest) (*protos.NodeGroupTargetSizeResponse, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	g, err := c.find(r.GetId())
	if err != nil {
		return nil, err
	}
	return &protos.NodeGroupTargetSizeResponse{TargetSize: int32(len(g.nodes))}, nil
}

func (c *cloud) NodeGroupIncreaseSize(ctx context.Context, r *protos.NodeGroupIncreaseSizeRequest) (*protos.NodeGroupIncreaseSizeResponse, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	g, err := c.find(r.GetId())
	if err != nil {
		return nil, err
	}
	if g.Out {
		log.Printf("%s is sold out", g.ID)
		return nil, status.Errorf(codes.ResourceExhausted, "group %q is sold out", g.ID)
	}
	for i := int32(0); i < r.GetDelta(); i++ {
		if err := c.buy(ctx, g); err != nil {
			return nil, err
		}
	}
	return &protos.NodeGroupIncreaseSizeResponse{}, nil
}

func (c *cloud) NodeGroupNodes(_ context.Context, r *protos.NodeGroupNodesRequest) (*protos.NodeGroupNodesResponse, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	g, err := c.find(r.GetId())
	if err != nil {
		return nil, err
	}
	answer := &protos.NodeGroupNodesResponse{}
	for _, name := range g.nodes {
		answer.Instances = append(answer.Instances, &protos.Instance{
			Id: "cloud://" + name, Status: &protos.InstanceStatus{InstanceState: protos.InstanceStatus_instanceRunning}})
	}
	return answer, nil
}

func (c *cloud) NodeGroupTemplateNodeInfo(_ context.Context, r *protos.NodeGroupTemplateNodeInfoRequest) (*protos.NodeGroupTemplateNodeInfoResponse, error) {
	g, err := c.find(r.GetId())
	if err != nil {
		return nil, err
	}
	return &protos.NodeGroupTemplateNodeInfoResponse{NodeInfo: g.node(g.ID + "-template")}, nil
}

func (c *cloud) NodeGroupGetOptions(context.Context, *protos.NodeGroupAutoscalingOptionsRequest) (*protos.NodeGroupAutoscalingOptionsResponse, error) {
	return &protos.NodeGroupAutoscalingOptionsResponse{}, nil
}

func run(kubeconfig, listen, groups string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	c := &cloud{}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(groups), &c.groups); err != nil {
		return err
	}
	for _, g := range c.groups {
		for i := 0; i < g.Size; i++ {
			if err := c.buy(context.Background(), g); err != nil {
				return err
			}
		}
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	protos.RegisterCloudProviderServer(server, c)
	return server.Serve(listener)
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("cloud KUBECONFIG LISTEN GROUPS")
	}
	log.Fatal(run(os.Args[1], os.Args[2], os.Args[3]))
}
