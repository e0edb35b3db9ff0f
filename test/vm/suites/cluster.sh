#!/bin/bash
# A node of a cluster: real API server, kubelet and containerd, the agent with the rights of manifests/cluster, and the meta plugin, whose
# networks are the API server's. What users see: kubectl.
# needs: RAILHEAD_E2E test/e2e/prepare
# vm-options: --timeout 2400 --memory 2700 --beside beside-api-server
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../real-kubelet.sh"
. "$here/../kubelet.sh"
. "$here/../meta.sh"
. "$here/../api-server.sh"

rdma_mode exclusive
four_rdma_vfs
must tbrdma_add mlx5_9 pf0
mkdir -p $e2e
api=$e2e/api

section the cluster
cluster_start
nad_object rail0 '{"cniVersion":"1.0.0","name":"rail0","plugins":[
    {"type":"sriov","vlan":100,"trust":"on","ipam":{"type":"host-local","subnet":"10.9.0.0/24"}},{"type":"rdma"}]}' rdma/vf
nad_object rail1 '{"cniVersion":"1.0.0","name":"rail1","plugins":[
    {"type":"sriov","vlan":101,"ipam":{"type":"host-local","subnet":"10.9.1.0/24"}},{"type":"rdma"}]}' rdma/vf

section the node
meta_node_start
cat >$e2e/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                   "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent.log --kubeconfig $api/agent.kubeconfig --node-name testbed
real_kubelet_start $api/kubelet.kubeconfig
check "kubelet knows the devices" wait_for 180 devices_known $e2e/stamp
meta_conflist
offered() { [ "$(kubectl get node testbed -o jsonpath='{.status.allocatable.rdma/vf}')" = 4 ]; }
check "the API server knows them" wait_for 120 offered
standing() {
    "$RAILHEAD_BIN/vm_dump_node" | grep -v -e cni0 -e '^sysctl.* veth'
    find /run/railhead /var/lib/railhead/pods /var/lib/cni -not -type d -not -path '*/locks/*' -not -path '*/allocations/*' -not -path '*/baseline/*' \
        -not -name agent.\* -not -name lock -not -name 'last_reserved_ip.*' 2>/dev/null | sort
}
# The first pod makes the bridge, for good.
object_pod first '' 0
check "a pod that asks for no network runs" wait_for 240 phase_is first Running
end_object_pod first
check "it ends" wait_for 180 is_gone first
check "and leaves no record" wait_for 60 eval '[ -z "$(ls /var/lib/railhead/pods)" ]'
rm -f /run/railhead/baseline/*
before=$(standing)

section a pod with two rails
object_pod a rail0,rail1 2
check "it runs" wait_for 240 phase_is a Running
names() { written_status a | jq -r '[.[].interface] | join(" ")'; }
check_becomes "its network-status is written" "eth0 net1 net2" names
t_eq "with the networks' names" "cluster default/rail0 default/rail1" "$(written_status a | jq -r '[.[].name] | join(" ")')"
t_match "and addresses" "10.9.0.[0-9]* 10.9.1.[0-9]*" "$(written_status a | jq -r '[.[1,2].ips[0]] | join(" ")')"
told() { events_of a | grep -c '^Normal AddedInterface Add '; }
check_becomes "three Events tell of it" 3 told
t_match "in Multus' words" 'Normal AddedInterface Add net1 \[10\.9\.0\.[0-9]*/24\] from default/rail0' "$(events_of a)"
t_eq "nothing is left to tell" "" "$(ls /run/railhead/news)"
t_eq "its namespace has both VFs, with their RDMA devices" 2 "$(in_netns "$(basename "$(jq -r .body.netns /var/lib/railhead/pods/*.json)")" rdma dev | wc -l)"

section an interface on a NIC of the node
nad_object shared '{"cniVersion":"1.0.0","name":"shared","type":"macvlan","master":"pf0","ipam":{"type":"host-local","subnet":"10.9.8.0/24"}}' ''
object_pod m shared 0
check "a pod with a macvlan runs" wait_for 240 phase_is m Running
m_name() { written_status m | jq -r '.[1].interface'; }
check_becomes "its network-status is written" net1 m_name
published() { written_status m | jq -r '.[1].rdma | "\(.device) \(.port) \(.gid)"'; }
mapped=$(written_status m | jq -r '.[1].ips[0]' | tr . ' ' | xargs printf '0000:0000:0000:0000:0000:ffff:%02x%02x:%02x%02x')
t_eq "with the GID by which it is reached" "mlx5_9 1 $mapped" "$(published)"
index=$(written_status m | jq -r '.[1].rdma["gid-index"]')
t_eq "at that index of the device" "$mapped" "$(cat "/sys/class/infiniband/mlx5_9/ports/1/gids/$index")"
end_object_pod m
check "it ends" wait_for 180 is_gone m

section a network that is not there, and then is
object_pod b rail9 1
missing() { events_of b | grep -F 'Warning NoNetworkFound cannot find a network-attachment-definition (rail9) in namespace (default)'; }
check "the pod's Events say so" wait_for 180 missing
nad_object rail9 '{"cniVersion":"1.0.0","name":"rail9","type":"sriov","vlan":109}' rdma/vf
check "it runs as soon as it is there" wait_for 240 phase_is b Running
end_object_pod b
check "it ends" wait_for 180 is_gone b

section a pod that has a VF and asks for no network
object_pod forgets '' 1
check "it runs" wait_for 240 phase_is forgets Running
forgotten() { events_of forgets | grep -E 'Warning NetworkWarning 0000:[^ ]* \(rdma/vf\) was given to container main, and no network of the pod takes it'; }
check "an Event says what is missing" wait_for 60 forgotten
end_object_pod forgets
check "it ends" wait_for 180 is_gone forgets
t_eq "no Event says so of the other pods" "" "$(events_of a | grep NetworkWarning)$(events_of b | grep NetworkWarning)"

section the API server is away
api_stop
meta_pod s rail0@own 1 sh -c 'exec sleep 3600'
check "a static pod with a network that is known starts" wait_for 240 eval 'record_of s && ip -n "$(netns_of s)" link show own'
t_eq "its network-status waits" 1 "$(ls /run/railhead/news | wc -l)"
t_match "the agent's status says why" "networks: .*10.0.2.2" "$("$RAILHEAD_BIN/railhead-agent" status 2>&1)"
api_start
written_soon() { [ "$(written_status s-testbed | jq -r '[.[].interface] | join(" ")')" = "eth0 own" ]; }
check "it is written when the server is back" wait_for 300 written_soon

section its token is taken away
# A token of an account that is gone is refused at once.
kubectl delete serviceaccount -n railhead railhead-agent >/dev/null
object_pod c rail1 1
check "what is known serves pods all the same" wait_for 240 phase_is c Running
kubectl create serviceaccount -n railhead railhead-agent >/dev/null
api_token railhead railhead-agent >$api/token.new
mv $api/token.new $api/token
check "with the next token its network-status is written" wait_for 300 eval '[ "$(written_status c | jq length)" = 2 ]'

for name in a c; do end_object_pod $name; done
remove_pod s
for name in a c; do check "pod $name ends" wait_for 180 is_gone $name; done
check "and all records" wait_for 120 eval '[ -z "$(ls /var/lib/railhead/pods)" ]'
rm -f /run/railhead/baseline/*
check_becomes "all that stands is as before" "$before" standing
kill $agent
wait $agent
t_eq "the agent ends well" 0 $?

section "in the place of network-operator's containers"
# Its device plugin has no folder of the node's for what the CNI program asks.
rm -rf /run/railhead/agent.sock /run/railhead/news
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent-of-operator.log --run-dir $e2e/run-of-device-plugin
check "kubelet knows the devices of the device plugin's container" wait_for 180 devices_known $e2e/stamp
multus_rights
mkdir -p $e2e/account
cp $api/ca.crt $e2e/account/ca.crt
api_token default multus >$e2e/account/token
rm -f $e2e/net.d/*
cp $e2e/cluster.d/10-cluster.conflist $e2e/net.d/
echo '{"cniVersion": "1.0.0", "name": "multus-cni-network", "type": "multus", "clusterNetwork": "cluster"}' >$e2e/net.d/00-multus.conf
bin=$RAILHEAD_BIN work=$e2e/containers node=
. "$here/../../image/container.sh"
root=$(container multus $e2e/net.d=/host$e2e/net.d $plugins=/host$plugins $e2e/account=/var/run/secrets/kubernetes.io/serviceaccount:ro)
setsid env -i PATH=/usr/sbin:/usr/bin:/bin KUBERNETES_SERVICE_HOST=$api_address KUBERNETES_SERVICE_PORT=$api_port NODE_NAME=testbed chroot "$root" \
    /thin_entrypoint --multus-conf-file=auto --cni-conf-dir=/host$e2e/net.d --multus-autoconfig-dir=/host$e2e/net.d --cleanup-config-on-exit \
    --skip-config-watch --cni-bin-dir=/host$plugins --multus-kubeconfig-file-host=$e2e/net.d/multus.d/multus.kubeconfig >$e2e/multus.log 2>&1 & multus=$!
check "Multus' entry point writes the node's conflist" wait_for 60 [ -s $e2e/net.d/00-railhead.conflist ]
check "and takes away Multus' own" wait_for 10 [ ! -e $e2e/net.d/00-multus.conf ]
object_pod d rail0,rail1 2
check "a pod with two rails runs" wait_for 240 phase_is d Running
d_names() { written_status d | jq -r '[.[].interface] | join(" ")'; }
check_becomes "its network-status is written with the rights of Multus' role" "eth0 net1 net2" d_names
t_eq "no note of it is in the other agent's folder" "" "$(ls /run/railhead/news 2>/dev/null)"
t_eq "no credential is on the node" "" "$(grep -rlF "$(cat $e2e/account/token)" $e2e/net.d)"
end_object_pod d
check "it ends" wait_for 180 is_gone d
check "with its record" wait_for 120 eval '[ -z "$(ls /var/lib/railhead/pods)" ]'
kill $multus
check "the entry point ends with all it started" wait_for 20 eval '! pgrep -s $multus'
kill $agent
wait $agent
real_kubelet_stop
[ -z "${RAILHEAD_SHARE:-}" ] || cp $e2e/*.log $api_folder/*.log "$RAILHEAD_SHARE"
suite_done
