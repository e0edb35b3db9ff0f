# The demo of a cluster: a pod that kubectl applies to a real API server gets a cluster network and two rails. In the VM only. Ends with a
# non-zero code at the first step that fails.
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
. "$here/fixture.sh"
. "$here/real-kubelet.sh"
. "$here/kubelet.sh"
. "$here/meta.sh"
. "$here/api-server.sh"
. "$here/demo-words.sh"

title "A cluster: API server, kubelet, containerd, the agent; four VFs with their RDMA devices (two minutes)"
rdma_mode exclusive
four_rdma_vfs
mkdir -p $e2e
api=$e2e/api
cluster_start
nad_object rail0 '{"cniVersion":"1.0.0","name":"rail0","plugins":[
    {"type":"sriov","vlan":100,"ipam":{"type":"host-local","subnet":"10.9.0.0/24"}},{"type":"rdma"}]}' rdma/vf
nad_object rail1 '{"cniVersion":"1.0.0","name":"rail1","plugins":[
    {"type":"sriov","vlan":101,"ipam":{"type":"host-local","subnet":"10.9.1.0/24"}},{"type":"rdma"}]}' rdma/vf
meta_node_start
cat >$e2e/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf", "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent.log --kubeconfig $api/agent.kubeconfig --node-name testbed
real_kubelet_start $api/kubelet.kubeconfig
wait_for 180 devices_known $e2e/stamp || die "kubelet does not know the devices"
meta_conflist
# The bridge comes with the first pod, and stays.
object_pod first '' 0
wait_for 240 phase_is first Running || die "the first pod does not run"
end_object_pod first
wait_for 180 is_gone first || die "the first pod does not end"
wait_for 60 eval '[ -z "$(ls /var/lib/railhead/pods)" ]' || die "the first pod's record stays"
before=$(dump_node)

title "What the cluster has"
show kubectl get node testbed -o custom-columns='NAME:.metadata.name,RDMA/VF:.status.allocatable.rdma/vf'
show kubectl get net-attach-def
show kubectl get net-attach-def rail0 -o jsonpath='{.spec.config}'
echo

title "A pod asks for two VFs, and for rail0 and rail1"
object_pod trainer rail0,rail1 2
wait_for 240 phase_is trainer Running || die "the pod does not run: $(kubectl describe pod trainer)"
wait_for 60 eval '[ "$(written_status trainer)" != "[]" ]' || die "its network-status is not written"
show kubectl get pod trainer

title "What kubectl says it has"
written_status trainer | jq -c '.[] | {name, interface, ips, mac, device: ."device-info".pci."pci-address"}' | sed 's/^/      /'
wait_for 60 eval '[ "$(events_of trainer | grep -c AddedInterface)" = 3 ]' || die "its Events are not told"
events_of trainer | grep AddedInterface | sed 's/^/      /'

title "The pod is deleted, and everything is given back"
end_object_pod trainer
wait_for 180 is_gone trainer || die "the pod does not end"
pod_node_stop "$before"
good "A cluster network and two rails by kubectl, given and given back."
