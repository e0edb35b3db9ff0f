# The demo of the meta plugin: a static pod under the real kubelet, with a cluster network and two rails. In the VM only. Ends with a non-zero
# code at the first step that fails.
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
. "$here/fixture.sh"
. "$here/real-kubelet.sh"
. "$here/kubelet.sh"
. "$here/meta.sh"
. "$here/demo-words.sh"

title "The node: four VFs with their RDMA devices, kubelet, containerd, the agent (half a minute)"
rdma_mode exclusive
four_rdma_vfs
meta_node_start
cat >$e2e/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf", "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent.log
real_kubelet_start
wait_for 180 devices_known $e2e/stamp || die "kubelet does not know the devices"
nad rail0 '{"cniVersion":"1.0.0","name":"rail0","plugins":[
    {"type":"sriov","vlan":100,"ipam":{"type":"host-local","subnet":"10.9.0.0/24"}},{"type":"rdma"}]}' rdma/vf
nad rail1 '{"cniVersion":"1.0.0","name":"rail1","plugins":[
    {"type":"sriov","vlan":101,"ipam":{"type":"host-local","subnet":"10.9.1.0/24"}},{"type":"rdma"}]}' rdma/vf
meta_conflist
# The bridge comes with the first pod, and stays.
meta_pod first '' 0 sleep 3600
wait_for 180 pod_is first Running || die "the first pod does not run"
remove_pod first
wait_for 180 pod_is_gone first || die "the first pod does not end"
wait_for 60 eval '[ -z "$(ls /var/lib/railhead/pods)" ]' || die "the first pod's record stays"
before=$(dump_node)

title "What the node's conflist and a NetworkAttachmentDefinition say"
show jq -c '.plugins[0]' $e2e/net.d/00-railhead.conflist
show jq -c '.spec.config | fromjson | .plugins' $nads/default/rail0.json

title "A pod asks for two VFs, and for rail0 and rail1"
meta_pod trainer rail0,rail1 2 sh -c 'ip -o -4 addr; ls /sys/class/net; echo done; exec sleep 3600'
show jq -c '{annotations: .metadata.annotations, limits: .spec.containers[0].resources.limits}' $e2e/pods/trainer.json
wait_for 180 pod_is trainer Running || die "the pod does not run: $(pod_status trainer)"
wait_for 60 finished trainer || die "the pod does not say what it has"
good "it runs"

title "What it has"
say "by its own word:"
pod_log trainer | grep -v -e '^done$' -e ' lo ' | sed 's/^/      /'
say "its network-status:"
status_of trainer | jq -c '.[] | {name, interface, ips, mac, device: ."device-info".pci."pci-address"}' | sed 's/^/      /'
say "its RDMA devices:"
show in_netns "$(netns_of trainer)" rdma link
show "$RAILHEAD_BIN/railhead" state

title "The pod is deleted, and everything is given back"
remove_pod trainer
wait_for 180 pod_is_gone trainer || die "the pod does not end"
pod_node_stop "$before"
good "One act: a cluster network and two rails, given and given back."
