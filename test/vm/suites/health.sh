# Which devices the agent calls healthy, and that its own watching is in nobody's way.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../kubelet.sh"

rdma_mode exclusive
load_tbrdma openable
pfs_up
make_vfs pf0 2
must tbrdma_add mlx5_0 pf0
must tbrdma_add mlx5_1 pf0v0
must tbrdma_add mlx5_2 pf0v1
mkdir -p /run/test
cat >/run/test/config.json <<J
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                   "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
log=/run/test/agent.log
# agent NAME...: one agent, with more options
start_agent() {
    "$RAILHEAD_BIN/railhead-agent" --config-file /run/test/config.json --kubelet-dir /run/test/kubelet \
        --devinfo-dir /run/test/devinfo --log-level debug "$@" >>$log 2>&1 &
}
kubelet_start /run/test/kubelet
start_agent
agent=$!
check "two VFs are offered" kubelet wait rdma/vf 2 90

section the ports of RDMA devices
# open_nodes: the RDMA devices that the agent holds open
open_nodes() { ls -l /proc/$agent/fd 2>/dev/null | grep -c infinibandevent; }
followed() { [ "$(open_nodes)" = 1 ]; }
check "the PF's RDMA device is followed" wait_for 60 followed
ip link set dev pf0 down
check "a port that goes down is heard" wait_for 60 grep -q 'rdma port of mlx5_0: port error' $log
ip link set dev pf0 up
check "and one that comes up" wait_for 60 grep -q 'rdma port of mlx5_0: port active' $log

section nothing is held back
vf=$(vf_pci pf0 0)
make_netns pod0
check "an RDMA device of a VF moves while the agent runs" rdma dev set mlx5_1 netns pod0
must rdma_to_host mlx5_1 pod0
check "a VF's driver lets go at once" timeout 60 bash -c "echo $vf >/sys/bus/pci/drivers/igbvf/unbind"
check "and it is withdrawn" kubelet wait rdma/vf 1 90
echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
wait_for 60 pci_netdev "$vf" || die "the VF got no netdev back"
must ip link set dev "$(pci_netdev "$vf")" name pf0v0
must tbrdma_add mlx5_1 pf0v0
check "both VFs are offered again" kubelet wait rdma/vf 2 90
ip netns delete pod0

section a pod that ends without giving back
make_netns pod0
kubelet allocate ns/a main rdma/vf "$vf" >/dev/null
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" '"vlan":100')") || not_ok "ADD" "$result"
let_agent_look
check "a device that a pod holds is healthy" kubelet wait rdma/vf 2 90
must ip netns delete pod0
check "one whose owner is gone and that is not undone becomes unhealthy" kubelet wait rdma/vf 1 90
t_match "and the log says whose it was" "net1 of container c0" "$(grep 'device is unhealthy' $log | tail -1)"
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
check "after DEL, and ten good seconds, it is healthy" kubelet wait rdma/vf 2 90

section a standby
lists=$(kubelet lists rdma/vf)
first=$agent
agent_start /run/test/config.json /run/test/kubelet /run/test/devinfo /run/test/standby.log
check "a second agent stands by, and says whose the node is" \
    wait_for 60 grep -q "standby until the agent before this one ends.*pid $first of " /run/test/standby.log
let_agent_look
t_eq "the first was not disturbed" "$lists" "$(kubelet lists rdma/vf)"
kubelet_ask allocate ns/b main rdma/vf 1
t_match "and serves on" '"envs"' "$REPLY"
kill $first
wait $first
t_eq "it ends well" 0 $?
check "then the second serves" wait_for 60 listed_since rdma/vf "$(jq .lists <<<"$lists")"
check "all devices" kubelet wait rdma/vf 2 90
check "and says so" grep -q 'msg="serving this node"' /run/test/standby.log

section the agent ends with a PF driver
check "the PF's driver lets go at once though its device is followed" timeout 60 bash -c "echo $PF0 >/sys/bus/pci/drivers/igb/unbind"
check "its VFs are withdrawn" kubelet wait rdma/vf 0 90
kill $agent
wait $agent
t_eq "SIGTERM ends the agent with code 0" 0 $?
suite_done
