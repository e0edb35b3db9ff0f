#!/bin/bash
# VFs on the vDPA bus: both drivers of that bus, what a pod gets, and what becomes of it when devices come, go and change drivers.
# Bus, drivers, netlink family and character device are the kernel's. The device behind them is its simulator, which the testbed lets
# hang off a VF (modules/vdpa_sim) as mlx5_vdpa's do. Not shown: traffic of a virtual machine, and a NIC driver that takes its vDPA
# device away when it is unbound; no emulated NIC has vDPA.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../kubelet.sh"

pfs_up
make_vfs pf1 2
vf=$(vf_pci pf1 0) other=$(vf_pci pf1 1)
must modprobe vhost_vdpa
load_vdpa_sim "$vf"
bus=/sys/bus/vdpa

mkdir -p /run/test
cat >/run/test/config.json <<'J'
{"resourceList": [
  {"resourcePrefix": "net", "resourceName": "vhost", "selectors": {"vdpaType": "vhost"}},
  {"resourcePrefix": "net", "resourceName": "virtio", "selectors": {"vdpaType": "virtio"}}
]}
J
kubelet_start /run/test/kubelet
agent_start /run/test/config.json /run/test/kubelet /run/test/devinfo /run/test/agent.log
# explained PCI: what explain says of a device
explained() { "$RAILHEAD_BIN/railhead-agent" explain --config-file /run/test/config.json | grep -A2 "^$1 "; }
# devinfo RESOURCE FILTER: of the VF's device-info file
devinfo() { jq -r "$2" /run/test/devinfo/*"$1"*"$vf"*; }
t_eq "nothing is on the bus" "" "$(ls $bus/devices)"
for pool in net/vhost net/virtio; do wait_for 60 listed_since $pool 0 || die "the agent does not list $pool"; done
t_eq "and nothing is offered" "0 0" "$(kubelet resources | jq -r '[."net/vhost", ."net/virtio" | length] | join(" ")')"
t_match "explain says why" "net/vhost: not taken: vdpaType: it has no vDPA device" "$(explained "$vf")"

section vhost
must vdpa dev add name vdpa0 mgmtdev "pci/$vf"
check "a VF that gets a vDPA device is offered" kubelet wait net/vhost 1 90
t_match "the device is below the VF, as a NIC's is" "/$vf/vdpa0$" "$(readlink $bus/devices/vdpa0)"
t_match "the inventory has it with its driver" "vdpa0 vhost_vdpa" \
    "$("$RAILHEAD_BIN/railhead-agent" inventory --json | jq -r --arg a "$vf" '.functions[] | select(.address == $a).vdpa | "\(.name) \(.driver)"')"
answer=$(kubelet allocate ns/a main net/vhost 1) || not_ok "Allocate" "$answer"
node=$(jq -r '.devices[].host_path' <<<"$answer")
t_eq "Allocate gives its vhost device" "/dev/$(basename $bus/devices/vdpa0/vhost-vdpa-*)" "$node"
check "which is a character device that opens" bash -c "exec 3<>$node"
t_eq "and says so" "$vf $node" "$(jq -r '.envs | "\(.PCIDEVICE_NET_VHOST) \(.PCIDEVICE_NET_VHOST_INFO | fromjson | .[].vdpa.mount)"' <<<"$answer")"
t_eq "the device-info file too" "vdpa vdpa0 vhost $node $vf" \
    "$(devinfo vhost '"\(.type) \(.vdpa | "\(."parent-device") \(.driver) \(.path) \(."pci-address")")"')"
kubelet remove ns/a >/dev/null
must vdpa dev add name vdpa1 mgmtdev "pci/$vf"
let_agent_look
t_eq "of two vDPA devices of a VF the first counts" "$node" "$(kubelet allocate ns/a main net/vhost 1 | jq -r '.devices[].host_path')"
kubelet remove ns/a >/dev/null
must vdpa dev del vdpa1

section virtio
echo vdpa0 >$bus/drivers/vhost_vdpa/unbind
check "without a driver on the bus it is offered no more" kubelet wait net/vhost 0 90
t_match "explain says that" "net/vhost: not taken: vdpaType: its vDPA device vdpa0 is bound to no driver" "$(explained "$vf")"
must modprobe -a virtio_net virtio_vdpa
check "with virtio_vdpa it is offered as such" kubelet wait net/virtio 1 90
check "a netdev hangs off it" wait_for 60 eval 'test -e $bus/devices/vdpa0/virtio*/net'
answer=$(kubelet allocate ns/a main net/virtio 1) || not_ok "Allocate" "$answer"
t_eq "a pod gets no node with it" "$vf 0" "$(jq -r '"\(.envs.PCIDEVICE_NET_VIRTIO) \(.devices | length)"' <<<"$answer")"
t_eq "the device-info file says virtio" "vdpa vdpa0 virtio $vf" \
    "$(devinfo virtio '"\(.type) \(.vdpa | "\(."parent-device") \(.driver) \(."pci-address")")"')"
kubelet remove ns/a >/dev/null

section back, and gone
echo vdpa0 >$bus/drivers/virtio_vdpa/unbind
echo vdpa0 >$bus/drivers/vhost_vdpa/bind
check "bound to vhost_vdpa again it is offered there" kubelet wait net/vhost 1 90
check "and only there" kubelet wait net/virtio 0 90
t_eq "the other VF of the PF never was" "" "$(grep "$other" /run/test/agent.log)"
must vdpa dev del vdpa0
check "with the vDPA device the offer goes" kubelet wait net/vhost 0 90
t_eq "all on one registration" "1 1" "$(kubelet lists net/vhost | jq .registrations) $(kubelet lists net/virtio | jq .registrations)"
kill $agent
wait $agent
t_eq "SIGTERM ends the agent with code 0" 0 $?
suite_done
