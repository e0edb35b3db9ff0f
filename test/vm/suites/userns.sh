#!/bin/bash
# A pod with a user namespace of its own (hostUsers: false): what its root may do to a VF, and what it may not. All of it is undone by DEL.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"

rdma_mode exclusive
four_rdma_vfs
vf=$(vf_pci pf0 0)
before=$(dump_node)
conf=$(cni_conf rail "$vf" '"vlan":100,"mac":"52:54:00:aa:bb:01","mtu":1400,"ipam":{"type":"static","addresses":[{"address":"10.9.0.1/24"}]}')

# As a runtime makes them: a namespace that belongs to another user namespace, kept by its path.
mkdir -p /run/netns
unshare --user --map-root-user --net sleep infinity & holder=$!
is_apart() { [ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
wait_for 30 is_apart || die "no namespace of its own"
touch /run/netns/pod0
must mount --bind /proc/$holder/ns/net /run/netns/pod0
# in_pod CMD...: as the root of the pod
in_pod() { nsenter --target $holder --user --net --preserve-credentials "$@"; }
must in_pod ip link set dev lo up

section "ADD into it"
result=$(cni ADD c0 pod0 net1 "$conf") || not_ok "ADD" "$result"
t_match "the VF has its address there" "inet 10.9.0.1/24" "$(in_pod ip -4 addr show net1)"
t_match "its MAC and MTU" "mtu 1400 .*52:54:00:aa:bb:01" "$(in_pod ip -o link show net1)"
check "its RDMA device is there" rdma_device_is_in mlx5_0 pod0
t_eq "its sysctls are set" 1 "$(in_pod sysctl -n net.ipv4.conf.net1.arp_notify)"
check "CHECK" cni CHECK c0 pod0 net1 "$(jq --argjson result "$result" '.prevResult = $result' <<<"$conf")"

section "what its root may do"
check "take it down and up" in_pod ip link set dev net1 down
check "rename it" in_pod ip link set dev net1 name mine
check "set its MTU" in_pod ip link set dev mine mtu 900
check "listen to everything" in_pod ip link set dev mine promisc on allmulticast on
check "give it another broadcast address" in_pod ip link set dev mine broadcast 02:00:00:00:00:99
check "keep it dormant" in_pod ip link set dev mine mode dormant
check "take ARP from it" in_pod ip link set dev mine arp off trailers off
check "name it once more" in_pod ip link property add dev mine altname mine-too
check "say what it is" in_pod ip link set dev mine alias "the pod's"
check "let it forward" in_pod sysctl -qw net.ipv4.conf.mine.forwarding=1
check "put links onto it" in_pod ip link add link mine name mine.7 type vlan id 7

section "what it may not"
check_fails "another MAC than the admin's" "Cannot assign|not permitted|Invalid|not supported" in_pod ip link set dev mine address 52:54:00:aa:bb:77
check_fails "rename the RDMA device" "not permitted|Operation" in_pod rdma dev set mlx5_0 name mine0
check_fails "see the PF" "does not exist" in_pod ip link show dev pf0
check_fails "take the VF to the host" "not permitted|Operation" in_pod ip link set dev mine netns 1

check "DEL" cni DEL c0 pod0 net1 "$conf"
without_pod() { dump_node | sed 's/^namespaces: pod0 */namespaces: /'; }
check_becomes "the node is what it was" "$before" without_pod

section "a namespace nested in the pod's"
result=$(cni ADD c0 pod0 net1 "$conf") || not_ok "ADD" "$result"
nsenter --target $holder --user --net --preserve-credentials unshare --net sleep infinity & nested=$!
is_nested() { [ "$(readlink /proc/$nested/ns/net)" != "$(readlink /proc/$holder/ns/net)" ] && [ "$(readlink /proc/$nested/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
wait_for 30 is_nested || die "no nested namespace"
check "the pod's root takes the VF there" in_pod ip link set dev net1 netns $nested
check_fails "DEL says that it is not back" "has not come back" cni DEL c0 pod0 net1 "$conf"
kill $nested
wait $nested 2>/dev/null
check "when that namespace is gone it is" wait_for 60 cni DEL c0 pod0 net1 "$conf"
kill $holder
wait $holder 2>/dev/null
umount /run/netns/pod0
rm /run/netns/pod0
check_node_is "the node is what it was" "$before"
suite_done
