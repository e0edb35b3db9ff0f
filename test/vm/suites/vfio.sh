#!/bin/bash
# VFs handed to user-space drivers by vfio-pci: who may have them, what a pod gets, that it can be opened, and what CNI sets of them, of
# InfiniBand VFs too.
# pf1 hangs below a root port, so that each of its VFs is an IOMMU group; pf0's VFs share one with their PF behind the switch.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../kubelet.sh"

must modprobe -a vfio-pci vhost_net tun
pfs_up
make_vfs pf0 1
make_vfs pf1 2
vf=$(vf_pci pf1 0) other=$(vf_pci pf1 1) behind_switch=$(vf_pci pf0 0)

# bind PCI [DRIVER]: the driver in place of the one there is; without, the one that its kind of device has
bind() {
    echo "${2:-}" >"$pci_dir/$1/driver_override"
    [ ! -e "$pci_dir/$1/driver" ] || echo "$1" >"$pci_dir/$1/driver/unbind"
    echo "$1" >/sys/bus/pci/drivers_probe
    wait_for 60 test -e "$pci_dir/$1/driver"
}
group_of() { basename "$(readlink "$pci_dir/$1/iommu_group")"; }
# healthy RESOURCE: the ids of its healthy devices
healthy() { kubelet resources | jq -r --arg r "$1" '.[$r][] | select(.healthy) | .id'; }

mkdir -p /run/test
cat >/run/test/config.json <<'J'
{"resourceList": [{"resourcePrefix": "net", "resourceName": "dpdk",
                   "selectors": {"drivers": ["vfio-pci"], "needVhostNet": true}}]}
J
log=/run/test/agent.log
kubelet_start /run/test/kubelet
agent_start /run/test/config.json /run/test/kubelet /run/test/devinfo $log
check "a VF with its network driver is not offered" kubelet wait net/dpdk 0 90

section a group of its own
must bind "$vf" vfio-pci
check "a VF below a root port is offered when vfio-pci is bound" kubelet wait net/dpdk 1 90
group=$(group_of "$vf")
answer=$(kubelet allocate ns/a main net/dpdk 1) || not_ok "Allocate" "$answer"
t_eq "Allocate gives the container's node, the group's, and those of vhost-net" \
    "/dev/vfio/vfio /dev/vfio/$group /dev/vhost-net /dev/net/tun" \
    "$(jq -r '[.devices[] | select(.host_path == .container_path and .permissions == "rw").host_path] | join(" ")' <<<"$answer")"
t_eq "and says which device it is" "$vf" "$(jq -r .envs.PCIDEVICE_NET_DPDK <<<"$answer")"
t_eq "and by which nodes" "/dev/vfio/vfio /dev/vfio/$group" \
    "$(jq -r '.envs.PCIDEVICE_NET_DPDK_INFO | fromjson | .[].vfio | "\(.mount) \(."dev-mount")"' <<<"$answer")"
t_eq "the device-info file has it too" "pci $vf $PF1 /dev/vhost-net" \
    "$(jq -r '"\(.type) \(.pci | "\(."pci-address") \(."pf-pci-address") \(."vhost-net")")"' /run/test/devinfo/net-dpdk-"$vf"-device.json)"
# the two nodes as they were given
mapfile -t nodes < <(jq -r '.devices[:2][].container_path' <<<"$answer")
t_eq "a program opens the group and the device through them" $'the group is viable\nthe device is 8086:10ca' \
    "$("$RAILHEAD_BIN/vm_vfio" "${nodes[@]}" "$vf" 2>&1)"
kubelet remove ns/a >/dev/null

section a group that the host has a part of
must bind "$behind_switch" vfio-pci
check "the agent says why a VF behind the switch is unhealthy" wait_for 60 \
    grep -q "device is unhealthy.*$behind_switch.*IOMMU group $(group_of "$behind_switch") is not viable: $PF0 in it is bound to a host driver" $log
check "it is known to kubelet" wait_for 60 knows net/dpdk 2
t_eq "and only the other one is healthy" "$vf" "$(healthy net/dpdk)"
kubelet_ask allocate ns/b main net/dpdk 2
t_match "a pod that asks for both does not start" '"error"' "$REPLY"
check_fails "and indeed no program could open it" "the group is not viable.*VFIO_GROUP_SET_CONTAINER.*EPERM" \
    eval '"$RAILHEAD_BIN/vm_vfio" /dev/vfio/vfio /dev/vfio/$(group_of "$behind_switch") "$behind_switch" | tr "\n" " "; test ${PIPESTATUS[0]} = 0'
t_match "so does explain" "$behind_switch .*net/dpdk: taken; unhealthy: its IOMMU group $(group_of "$behind_switch") is not viable" \
    "$("$RAILHEAD_BIN/railhead-agent" explain --config-file /run/test/config.json | tr '\n' ' ')"
t_match "the inventory says so too" '"viable": *false' \
    "$("$RAILHEAD_BIN/railhead-agent" inventory --json | jq -c --arg a "$behind_switch" '.. | objects | select(.address? == $a)')"

section CNI
before=$(dump_node)
settings='"vlan":100,"vlanQoS":3,"mac":"52:54:00:aa:bb:01","spoofchk":"off","trust":"on","max_tx_rate":500'
vf_line() { ip -d link show dev pf1 | grep -E '^ *vf 0 '; }
kubelet allocate ns/a main net/dpdk "$vf" >/dev/null
make_netns pod0
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")") || not_ok "ADD" "$result"
t_eq "ADD of a VF without netdev answers with its name, MAC and PCI address" "net1 52:54:00:aa:bb:01 /run/netns/pod0" \
    "$(jq -r '.interfaces[0] | "\(.name) \(.mac) \(.sandbox)"' <<<"$result")"
t_match "the PF has its MAC, VLAN and limits" \
    "52:54:00:aa:bb:01.*vlan 100, qos 3.*500.*spoof checking off.*trust on" "$(vf_line)"
let_agent_look
check "the device is still healthy" kubelet wait net/dpdk 1 90
t_match "and usable with them" "the device is 8086:10ca" "$("$RAILHEAD_BIN/vm_vfio" "${nodes[@]}" "$vf" 2>&1)"
check "CHECK finds all as it was asked" cni CHECK c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
check_fails "a second pod is refused it" "held by net1 of container c0" cni ADD c1 pod0 net2 "$(cni_conf rail "$vf")"
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip netns delete pod0
check_node_is "after DEL the node is what it was" "$before"
make_netns pod0 pod1
check "ADD for a pod whose namespace goes without DEL" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip netns delete pod0
check "the next pod's ADD takes the undo up" cni ADD c1 pod1 net1 "$(cni_conf rail "$vf" '"vlan":55')"
t_match "and finds nothing of the old pod's" "link/ether 52:54:00:00:01:20.*vlan 55,.*trust off" "$(vf_line)"
check "the late DEL of the old pod succeeds" cni DEL c0 '' net1 "$(cni_conf rail "$vf" "$settings")"
t_match "and leaves the new pod its VLAN" "vlan 55," "$(vf_line)"
check "DEL of the new pod" cni DEL c1 pod1 net1 "$(cni_conf rail "$vf" '"vlan":55')"
must ip netns delete pod1
check_node_is "after both the node is what it was" "$before"
kubelet remove ns/a >/dev/null

section an InfiniBand VF
rdma_mode shared
load_tbrdma
must modprobe ib_ipoib
must tbrdma_add mlx5_9 pf1 ib
wait_for 60 pci_netdev "$PF1" 32 || die "IPoIB makes no netdev on pf1"
ib=$(pci_netdev "$PF1" 32) asked=02:00:00:00:00:00:00:11
# Of such a VF nobody sees which GUID it had: it is given back with the one that stands for none.
unset=ff:ff:ff:ff:ff:ff:ff:ff
for kind in node_guid port_guid; do must ip link set dev "$ib" vf 0 $kind $unset; done
stands=$("$RAILHEAD_BIN/vm_dump_node")
# ib_conf VF
ib_conf() {
    cni_conf ib "$1" '"vfioPciMode":true,"link_state":"enable","runtimeConfig":{"infinibandGUID":"'$asked'"}' | jq -c '.type = "ib-sriov"'
}
ib_line() { ip -o link show dev "$ib" | tr '\\' '\n' | grep -E '^ *vf 0 '; }
make_netns pod0 pod1
result=$(cni ADD c0 pod0 net1 "$(ib_conf "$vf")") || not_ok "ADD" "$result"
t_eq "ADD answers with the name that was asked for" "net1 /run/netns/pod0" "$(jq -r '.interfaces[0] | "\(.name) \(.sandbox)"' <<<"$result")"
t_match "the PF has its GUID and link state" "NODE_GUID $asked, PORT_GUID $asked, link-state enable" "$(ib_line)"
t_match "it is usable with them" "the device is 8086:10ca" "$("$RAILHEAD_BIN/vm_vfio" "${nodes[@]}" "$vf" 2>&1)"
check "CHECK" cni CHECK c0 pod0 net1 "$(jq -c --argjson result "$result" '.prevResult = $result' <<<"$(ib_conf "$vf")")"
check_fails "a second pod is refused it" "held by net1 of container c0" cni ADD c1 pod1 net1 "$(ib_conf "$vf")"
check_fails "so is one with a network driver" "is not bound to vfio-pci" cni ADD c1 pod1 net1 "$(ib_conf "$other")"
check "DEL" cni DEL c0 pod0 net1 "$(ib_conf "$vf")"
t_match "the PF has no GUID for it" "NODE_GUID $unset, PORT_GUID $unset, link-state auto" "$(ib_line)"
result=$(cni ADD c0 pod0 net1 "$(ib_conf "$vf")") || not_ok "ADD" "$result"
must ip netns delete pod0
check "the next pod gets it when the first one's namespace has gone" cni ADD c1 pod1 net1 "$(ib_conf "$vf")"
check "DEL of the first one, late" cni DEL c0 '' net1 "$(ib_conf "$vf")"
t_match "leaves the next one its GUID" "NODE_GUID $asked, PORT_GUID $asked" "$(ib_line)"
check "DEL of the next one" cni DEL c1 pod1 net1 "$(ib_conf "$vf")"
must ip netns delete pod1
check_becomes "after both the node is what it was" "$stands" "$RAILHEAD_BIN/vm_dump_node"
must rdma link delete mlx5_9

section back to the network driver
must bind "$other" vfio-pci
check "a second VF of the root port has a group of its own" kubelet wait net/dpdk 2 90
must bind "$vf"
check "a VF that has its network driver again is withdrawn" kubelet wait net/dpdk 1 90
t_eq "that one and no other" "$other" "$(healthy net/dpdk)"
check "it has its netdev again" wait_for 60 pci_netdev "$vf"
must bind "$vf" vfio-pci
check "and is offered again" kubelet wait net/dpdk 2 90
echo 0 >$pci_dir/$PF1/sriov_numvfs
check "VFs that are removed under vfio-pci are withdrawn" kubelet wait net/dpdk 0 90
kill $agent
wait $agent
t_eq "SIGTERM ends the agent with code 0" 0 $?
suite_done
