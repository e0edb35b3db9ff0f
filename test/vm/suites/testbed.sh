#!/bin/bash
# The testbed's own suite: what the other suites take for given, and the fixture's functions.
. "$(dirname "$0")/../fixture.sh"

section tools
for tool in ip rdma ethtool ping lspci jq strace udevadm ibv_devices ibv_devinfo rping ib_write_bw; do
    # --version and the like: a missing library shows here, not in the middle of a test
    check "$tool starts" bash -c "ldd \$(command -v $tool) | { ! grep 'not found'; }"
done
check "host-local and static are installed" test -x /usr/lib/cni/host-local -a -x /usr/lib/cni/static

section topology
t_eq "pf0 is on NUMA node 0" 0 "$(cat $pci_dir/$PF0/numa_node)"
t_eq "pf1 is on NUMA node 1" 1 "$(cat $pci_dir/$PF1/numa_node)"
t_eq "gpu2 is on NUMA node 1" 1 "$(cat $pci_dir/$GPU2/numa_node)"
switch=0000:20:00.0/0000:21:00.0
t_match "pf0 is behind the switch" "/pci0000:20/$switch/0000:22:00.0/$PF0\$" "$(readlink -f $pci_dir/$PF0)"
t_match "gpu0 is behind the same switch" "/pci0000:20/$switch/0000:22:01.0/$GPU0\$" "$(readlink -f $pci_dir/$GPU0)"
t_match "gpu1 is under another root port of pf0's host bridge" "/pci0000:20/0000:20:01.0/$GPU1\$" "$(readlink -f $pci_dir/$GPU1)"
t_match "gpu2 and pf1 share a host bridge" "/pci0000:40/0000:40:01.0/$GPU2\$" "$(readlink -f $pci_dir/$GPU2)"

group() { basename "$(readlink "$pci_dir/$1/iommu_group")"; }
t_eq "pf0 shares its IOMMU group with the switch's port, which isolates nothing" "$(group 0000:22:00.0)" "$(group $PF0)"
check "pf1 has a group of its own below its root port" test "$(group $PF1)" != "$(group 0000:40:00.0)"

section VFs
rdma_mode exclusive
load_tbrdma
pfs_up
make_vfs pf0 2
make_vfs pf1 1
t_eq "pf0 has two VFs" "0000:23:10.0 0000:23:10.2" "$(vf_pci pf0 0) $(vf_pci pf0 1)"
t_eq "pf1 has one VF, with a netdev of a known name" pf1v0 "$(pci_netdev "$(vf_pci pf1 0)")"
t_eq "a VF is on its PF's NUMA node" 1 "$(cat "$pci_dir/$(vf_pci pf1 0)/numa_node")"
check "pf0 kept its name and has carrier" netdev_has_carrier pf0

mac_of() { cat "/sys/class/net/$1/address"; }
t_eq "it has the MAC that its PF has set" 52:54:00:00:01:20 "$(mac_of pf1v0)"
# A PF that is down does not answer the driver either.
must ip link set dev pf1 down
echo 0 >$pci_dir/$PF1/sriov_numvfs
{ wait_for 60 pci_netdev 0000:41:10.0; ip link set dev pf1 up; } &
t_match "a driver whose first question the PF did not answer is asked again" "came with the MAC .*: its driver is asked again" "$(make_vfs pf1 1)"
wait $!
t_eq "and then has that MAC too" 52:54:00:00:01:20 "$(mac_of pf1v0)"
check "and gets carrier" up_with_carrier pf1v0
must ip link set dev pf1v0 down

section RDMA devices on VFs, exclusive mode
check "tbrdma makes a RoCE device on a VF of pf0" tbrdma_add mlx5_0 pf0v0
check "tbrdma makes a RoCE device on a VF of pf1" tbrdma_add mlx5_1 pf1v0
t_eq "the device hangs off the VF's PCI function" mlx5_0 "$(ls "$pci_dir/$(vf_pci pf0 0)/infiniband")"
check "it has a character device" test -c "/dev/infiniband/$(ls "$pci_dir/$(vf_pci pf0 0)/infiniband_verbs")"
check "tbrdma makes an InfiniBand device" tbrdma_add mlx5_2 pf0v1 ib
t_eq "its link layer is InfiniBand" InfiniBand "$(cat /sys/class/infiniband/mlx5_2/ports/1/link_layer)"
before=$(dump_node)

section what the dump of the node tells
must modprobe 8021q
must ip link set dev pf0v0 alias "left here" promisc on allmulticast on
must ip link add link pf0v0 name upper0 type vlan id 5
left=$(dump_node)
t_match "an alias" "alias left here" "$left"
t_match "flags" "ALLMULTI,PROMISC" "$left"
t_match "what stands on a VF" "below upper0" "$left"
t_match "how many tcx programs there are" "tcx programs: ingress 0 egress 0" "$left"
make_netns pod0
must ip link set dev pf0v0 netns pod0
must ip -n pod0 link set dev pf0v0 alias "" promisc off allmulticast off
must ip link set dev upper0 netns pod0
must ip -n pod0 link set dev pf0v0 netns 1
t_match "what was left in a namespace, on a VF that is not there any more" "stands in pod0 .*: upper0" "$(dump_node)"
must ip netns delete pod0
check_node_is "without all that it is what it was" "$before"

section an RDMA device that hangs
state=/sys/class/infiniband/mlx5_1/ports/1/state
must tbrdma_hang mlx5_1
cat $state >/run/state-of-sysfs & sysfs_reader=$!
rdma link show mlx5_1/1 >/run/state-of-netlink & netlink_reader=$!
in_d_state() { grep -q '^State:[[:space:]]*D' /proc/$1/status; }
check "who reads its port in sysfs is in D state" wait_for 60 in_d_state $sysfs_reader
check "who asks for it by netlink too" wait_for 60 in_d_state $netlink_reader
kill -9 $sysfs_reader $netlink_reader
t_match "another device answers by netlink" "^link mlx5_0/1 " "$(timeout -k 1 60 rdma link show mlx5_0/1)"
t_match "and in sysfs" "^[0-9]: " "$(timeout -k 1 60 cat /sys/class/infiniband/mlx5_0/ports/1/state)"
check "both still wait, though killed" eval "in_d_state $sysfs_reader && in_d_state $netlink_reader"
must tbrdma_release
ended() { ! kill -0 $1; }
check "they end with the release" wait_for 60 eval "ended $sysfs_reader && ended $netlink_reader"
t_match "and the device answers" "^[0-9]: " "$(timeout -k 1 60 cat $state)"

section two namespaces
make_netns pod0 pod1
check "a VF moves and takes a new name in one step" ip link set dev pf0v0 netns pod0 name net1
check "a VF of the other PF too" ip link set dev pf1v0 netns pod1 name net1
check "its RDMA device has survived that" rdma_device_is_in mlx5_0
check "its RDMA device moves" rdma dev set mlx5_0 netns pod0
check "the other one too" rdma dev set mlx5_1 netns pod1
check_fails "the host does not have it any more" "No such|Wrong device|Invalid" rdma_device_is_in mlx5_0
check "the pod has it" rdma_device_is_in mlx5_0 pod0
must ip -n pod0 addr add 10.9.0.1/24 dev net1
must ip -n pod1 addr add 10.9.0.2/24 dev net1
check "the VF in pod0 gets carrier" up_with_carrier net1 pod0
check "the VF in pod1 gets carrier" up_with_carrier net1 pod1
check "the two pods reach each other" wait_for 60 in_netns pod1 ping -c 2 -i 0.2 -W 5 10.9.0.1
t_match "the RoCE port is up with its VF" "state ACTIVE .*netdev net1" "$(in_netns pod0 rdma link show mlx5_0/1)"

section RDMA traffic
must modprobe siw
check "siw is made in pod0" siw_add siw0 pod0 net1
check "siw is made in pod1" siw_add siw1 pod1 net1
check "siw0 is in pod0 only" bash -c "ip netns exec pod0 rdma dev show siw0 && ! rdma dev show siw0 2>&1"
timeout 180 ip netns exec pod0 rping -s -a 10.9.0.1 -C 3 >/tmp/rping-server 2>&1 &
server=$!
wait_for 60 in_netns pod0 grep -qi ':1c06 ' /proc/net/tcp || echo "(rping does not show that it listens)"      # its port, 7174
check "rping from pod1 to pod0" timeout 120 ip netns exec pod1 rping -c -a 10.9.0.1 -C 3
wait $server        # its exit code says nothing: it may take the client's leaving for an error
check "siw0 is given back" siw_del siw0 pod0
check "siw1 is given back" siw_del siw1 pod1

section giving back
for n in 0 1; do
    must rdma_to_host mlx5_$n pod$n
    must ip -n pod$n link set dev net1 down
    must ip -n pod$n addr flush dev net1
    must ip -n pod$n link set dev net1 netns 1 name pf${n}v0
done
must ip netns delete pod0
must ip netns delete pod1
check_node_is "after that the node is what it was" "$before"
node_exclusions | sed 's/^/    not compared: /'

section shared mode
clean_node
rdma_mode shared
make_vfs pf0 1
must tbrdma_add mlx5_0 pf0v0
make_netns pod0
check_fails "an RDMA device does not move" "not supported|Invalid|denied|Operation" rdma dev set mlx5_0 netns pod0
check "it is seen in every namespace" rdma_device_is_in mlx5_0 pod0
check "it follows its VF" ip link set dev pf0v0 netns pod0
t_match "and shows its netdev in the pod" "netdev pf0v0" "$(in_netns pod0 rdma link show mlx5_0/1)"

section InfiniBand
make_vfs pf1 2
vf=$(vf_pci pf1 0)
must tbrdma_add mlx5_1 pf1 ib
must tbrdma_add mlx5_2 pf1v0 ib
must modprobe ib_ipoib
check "IPoIB makes a netdev on an InfiniBand device" wait_for 60 pci_netdev $PF1 32
ib=$(pci_netdev $PF1 32)
own=$(cat /sys/class/infiniband/mlx5_2/node_guid)
check "a VF's GUIDs can be set" bash -c "ip link set dev $ib vf 0 node_guid 02:00:00:00:00:00:00:01 && ip link set dev $ib vf 0 port_guid 02:00:00:00:00:00:00:02"
t_match "and read back" "NODE_GUID 02:00:00:00:00:00:00:01, PORT_GUID 02:00:00:00:00:00:00:02" "$(ip link show dev "$ib")"
check_fails "those of a VF that does not exist cannot" "Invalid argument" ip link set dev "$ib" vf 2 node_guid 02:00:00:00:00:00:00:03
t_eq "the VF has its own until it is made anew" "$own" "$(cat /sys/class/infiniband/mlx5_2/node_guid)"
echo 1 >/sys/module/tbrdma/parameters/comes_back
echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
check_fails "it goes with its driver" "" rdma dev show mlx5_2
echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
check "and comes back with it" wait_for 60 rdma dev show mlx5_2
t_eq "with the node GUID that its PF holds" 0200:0000:0000:0001 "$(cat /sys/class/infiniband/mlx5_2/node_guid)"
t_eq "and the port GUID" fe80:0000:0000:0000:0200:0000:0000:0002 "$(cat /sys/class/infiniband/mlx5_2/ports/1/gids/0)"
check "which its IPoIB netdev has in its address" wait_for 60 eval 'ip link show dev "$(pci_netdev "$vf" 32)" | grep -q 02:00:00:00:00:00:00:02'
echo 0 >/sys/module/tbrdma/parameters/comes_back
t_eq "pf1 still is the PF's Ethernet netdev" pf1 "$(pci_netdev $PF1)"
check "a device can be deleted" rdma link delete mlx5_1
check_fails "and its IPoIB netdev is gone" "" pci_netdev $PF1 32

section VF attributes
netdevsim_add 7 4
check "netdevsim has four VFs" bash -c "[ \$(ip link show dev nsim7 | grep -c ' vf ') = 4 ]"
check "netdevsim takes a link state and a minimum rate" ip link set dev nsim7 vf 1 state disable max_tx_rate 200 min_tx_rate 100
check "netdevsim takes an 802.1ad VLAN" ip link set dev nsim7 vf 1 vlan 100 proto 802.1ad
t_match "and shows them" "vlan 100.* 802.1ad.*100Mbps.*200Mbps|vlan 100.*802.1ad.*200Mbps.*100Mbps" "$(ip link show dev nsim7 | grep ' vf 1 ')"

section "QEMU's monitor"
check "pf1's cable is pulled" pf_cable pf1 off
lost() { ! netdev_has_carrier pf1; }
check "pf1 loses its carrier" wait_for 60 lost
check "pf1's cable is put back" pf_cable pf1 on
check "pf1 has carrier again" wait_for 60 netdev_has_carrier pf1

section udev
start_udev
check "udev settles again" udevadm settle --timeout=60
t_eq "udev left the names alone" "pf0 pf1" "$(pci_netdev $PF0) $(pci_netdev $PF1)"

section cleaning up
clean_node
t_eq "no namespace is left" "" "$(ip netns list)"
t_eq "no VF is left" "0 0" "$(cat $pci_dir/$PF0/sriov_numvfs $pci_dir/$PF1/sriov_numvfs | xargs)"
t_eq "no RDMA device is left" 0 "$(rdma dev show; echo $?)"
t_eq "no netdevsim is left" "" "$(ls /sys/bus/netdevsim/devices)"

suite_done
