#!/bin/bash
# One line in a pod, a network over all its rails: two pods of four VFs, each rail with addresses and routes of its own. Whatever subnets
# the rails have, what is sent by a rail's address leaves and comes in by that rail: ping and a transfer by siw (RDMA over TCP) for each
# pair of rails, with the counters of every VF read.
# vm-options: --pfs 4 --timeout 1500
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../kubelet.sh"

rdma_mode exclusive
load_tbrdma
pfs_up
rails=(pf0 pf2 pf3 pf1)                                  # in PCI order, as a node without GPUs numbers them
n=0
for pf in "${rails[@]}"; do
    make_vfs $pf 3
    for vf in 0 1; do
        must tbrdma_add mlx5_$n ${pf}v$vf
        n=$((n + 1))
    done
    # down and up in the pod would cost it its routes, as of any interface
    for vf in 0 1 2; do
        up_with_carrier ${pf}v$vf || die "${pf}v$vf has no carrier"
        must ip link set dev ${pf}v$vf down
    done
done
modprobe siw
make_netns pod0 pod1 gateway
# The cluster network has a wire of its own: an interface on the rails' wire would answer ARP for their addresses too.
must ip link add cluster0 type veth peer name cluster1
must ip link set dev cluster0 up
must ip link set dev cluster1 up

mkdir -p /run/test /run/nads/ml
cat >/run/test/config.json <<'J'
{"pools": [{"resourceName": "vf", "resourcePrefix": "rdma", "selectors": {"drivers": ["igbvf"], "isRdma": true}}],
 "ipamNode": {"name": "gpu-*", "first": 1}}
J
kubelet_start /run/test/kubelet
agent_start /run/test/config.json /run/test/kubelet /run/test/devinfo /run/test/agent.log --node-name gpu-3
check "the agent offers eight VFs" kubelet wait rdma/vf 8 120
check "and has numbered the node's rails" wait_for 30 test -s /var/lib/railhead/rail_map.json
t_eq "in PCI order" "$(for pf in "${rails[@]}"; do pf_pci $pf; done | xargs)" "$(jq -r '.rails[][]' /var/lib/railhead/rail_map.json | xargs)"
check "and its index" wait_for 30 test -s /var/lib/railhead/node.json
kill $agent && wait $agent 2>/dev/null                   # what a pod needs to know of them stays

for pod in 0 1; do
    jq -nc --arg uid u$pod '{PodUID: $uid, ContainerName: "main", ResourceName: "rdma/vf", DeviceIDs: {"-1": $ARGS.positional}}' \
        --args $(for pf in "${rails[@]}"; do vf_pci $pf $pod; done)
done | jq -s '{Data: {PodDeviceEntries: ., RegisteredDevices: {"rdma/vf": []}}, Checksum: 1}' >/run/checkpoint

# nad IPAM [KEY...]: the network "rails"
nad() {
    jq -n --argjson ipam "$1" '{kind: "NetworkAttachmentDefinition", metadata: {name: "rails", annotations:
        {"k8s.v1.cni.cncf.io/resourceName": "rdma/vf"}}, spec: {config: ({cniVersion: "1.0.0", name: "rails", type: "railhead",
        rails: "all", ipam: $ipam} | tojson)}}' >/run/nads/ml/rails.json
}
jq -n '{cniVersion: "1.0.0", name: "node", type: "railhead-meta", nadDir: "/run/nads", binDir: "/usr/lib/cni", kubeletCheckpoint: "/run/checkpoint",
    ownership: "off",
    delegates: [{cniVersion: "1.0.0", name: "cluster", type: "macvlan", master: "cluster0", ipam: {type: "host-local", subnet: "10.244.0.0/24"}}],
    capabilities: {"io.kubernetes.cri.pod-annotations": true},
    runtimeConfig: {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "rails"}}}' >/run/conf.json

# call VERB POD
call() {
    CNI_COMMAND=$1 CNI_CONTAINERID=c$2 CNI_NETNS=/run/netns/pod$2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
        CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=pod-$2;K8S_POD_UID=u$2" \
        "${RAILHEAD_RELEASE:-$RAILHEAD_BIN}/railhead" <"/run/${3:-conf.json}" >/run/answer.$2 2>/run/log.$2 || { cat /run/answer.$2 /run/log.$2; return 1; }
}
# address POD RAIL 4|6
address() {
    ip -n pod$1 -j -$3 addr show dev rail$2 scope global | jq -r '.[].addr_info[0].local'
}
# packets POD DIRECTION: of its rails, "12 4 0 3"
packets() { in_netns pod$1 cat /sys/class/net/rail{0,1,2,3}/statistics/$2_packets | xargs; }
# moved BEFORE AFTER LEAST: which rail has LEAST packets more; "none" or two of them where that is so
moved() {
    local before=($1) after=($2) rail found=
    for rail in 0 1 2 3; do [ $((after[rail] - before[rail])) -lt "$3" ] || found+=" $rail"; done
    echo "${found# }"
}
# each_pair FAMILY COMMAND [some]: COMMAND SOURCE TARGET for each rail of pod 0 and each of pod 1, and what went by other rails; some: each
# rail to itself and to the next, but for `./dev sweep`
each_pair() {
    local from to try sent came got wrong= sources targets
    sources=($(for from in 0 1 2 3; do address 0 $from $1; done)) targets=($(for to in 0 1 2 3; do address 1 $to $1; done))
    for from in 0 1 2 3; do
        for to in 0 1 2 3; do
            [ "${3:-}" != some ] || [ "${RAILHEAD_SWEEP:-}" = all ] || [ $(((to - from + 4) % 4)) -lt 2 ] || continue
            sent=$(packets 0 tx) came=$(packets 1 rx)
            if ! "$2" "${sources[from]}" "${targets[to]}" >/run/pair 2>&1; then
                wrong+="rail $from to rail $to: $(tail -3 /run/pair | xargs); "
                continue
            fi
            # igbvf counts what it has sent when it looks at its ring, every two seconds at the latest
            for try in {1..25}; do
                got="$(moved "$sent" "$(packets 0 tx)" 10) to $(moved "$came" "$(packets 1 rx)" 10)"
                [ "$got" != "$from to $to" ] || break
                sleep .2
            done
            [ "$got" = "$from to $to" ] ||
                wrong+="rail $from to rail $to went by $got (sent $sent, then $(packets 0 tx); came $came, then $(packets 1 rx)); "
        done
    done
    echo "$wrong"
}
by_ping() { ip netns exec pod0 ping -c 12 -i 0.02 -w 20 -I "$1" "$2"; }
by_siw() {
    local server code=0
    timeout 60 ip netns exec pod1 rping -s -a "$2" -C 12 >/run/server 2>&1 & server=$!
    wait_for 20 ip netns exec pod1 grep -qi ':1c06 ' /proc/net/tcp || return
    timeout 60 ip netns exec pod0 rping -c -a "$2" -I "$1" -C 12 || code=$?
    kill $server 2>/dev/null
    wait $server 2>/dev/null
    return $code
}
# rules POD: those of the rails
rules() { for f in 4 6; do ip -n pod$1 -$f rule show; done | grep -c 'proto 98'; }
before=$("$RAILHEAD_BIN/vm_dump_node")

# attach: both pods
attach() {
    check "pod 0 gets the network" call ADD 0
    check "pod 1 gets the network" call ADD 1
    ip -n pod1 link show dev rail3 >/dev/null || die "without its rails there is nothing to test"
    t_eq "an interface for each rail, on its PF" "$(for pf in "${rails[@]}"; do vf_pci $pf 0; done | xargs)" \
        "$(for rail in 0 1 2 3; do ip -n pod0 -d -j link show dev rail$rail | jq -r '.[].parentdev'; done | xargs)"
    t_eq "each with an RDMA device" 4 "$(in_netns pod0 rdma dev | wc -l)"
    t_eq "rules by link and by address, of both families" 16 "$(rules 0)"
    t_eq "no default route by a rail" 0 "$(for f in 4 6; do ip -n pod0 -$f route show default table main; done | grep -c rail)"
    t_eq "network-status has an entry for each" "rail0 rail1 rail2 rail3" \
        "$(jq -r '.body.networkStatus | (if type == "string" then fromjson else . end)[].interface' /run/railhead/pods/*c0*.json | grep rail | xargs)"
    check "CHECK finds all as it was made" call CHECK 0
}
detach() {
    check "DEL of pod 0" call DEL 0
    check "DEL of pod 1" call DEL 1
    t_eq "no rule stays" 0 "$(rules 0)"
    now=$("$RAILHEAD_BIN/vm_dump_node")
    for ((i = 0; i < 60; i++)); do [ "$now" != "$before" ] || break; sleep .5; now=$("$RAILHEAD_BIN/vm_dump_node"); done
    t_eq "every device is what it was" "$before" "$now"
}

section "all rails in one subnet"
nad '{"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/16"}], [{"subnet": "fd09::/64"}]], "routes": [{"dst": "10.0.0.0/8", "gw": "10.9.255.254"}]}'
attach
t_eq "IPAM's route stands in each rail's table" "4" \
    "$(for rail in 0 1 2 3; do ip -n pod0 route show table $((1000 + 16 * rail)) | grep -c '^10.0.0.0/8 via 10.9.255.254'; done | grep -c 1)"
t_eq "and not in the main one" "" "$(ip -n pod0 route show table main | grep '^10.0.0.0/8')"
t_eq "IPv4: each pair of rails by the rail that was meant" "" "$(each_pair 4 by_ping)"
t_eq "IPv6: the same" "" "$(each_pair 6 by_ping some)"
if modprobe siw; then
    for pod in 0 1; do for rail in 0 1 2 3; do must siw_add siw$pod$rail pod$pod rail$rail; done; done
    t_eq "a transfer by siw (RDMA over TCP): the same" "" "$(each_pair 4 by_siw some)"
    for pod in 0 1; do for rail in 0 1 2 3; do must siw_del siw$pod$rail pod$pod; done; done
fi
gids=$(for rail in 0 1 2 3; do
    in_netns pod0 sh -c 'for d in /sys/class/infiniband/*; do cat $d/ports/1/gids/* 2>/dev/null; done' | grep -c "ffff:$(printf '%02x%02x:%02x%02x' $(address 0 $rail 4 | tr . ' '))"
done | xargs)
t_eq "the rails' addresses are GIDs of their RDMA devices" "1 1 1 1" "$gids"
detach

# The gateway has a VF on each PF, which is its subnet's .254 on that rail
section "a subnet for each rail, and a gateway between them"
for rail in 0 1 2 3; do
    netdev=${rails[rail]}v2
    must ip link set dev $netdev netns gateway
    up_with_carrier $netdev gateway || die "$netdev has no carrier"
    must ip -n gateway addr add 10.$((16 + rail)).0.254/16 dev $netdev
    must ip -n gateway addr add fd16:0:0:$rail::fe/64 dev $netdev nodad
done
in_netns gateway sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
before=$("$RAILHEAD_BIN/vm_dump_node")
nad '{"type": "rails", "rails": 4, "v4": {"subnet": "10.16.0.0/14", "railPrefix": 16, "nodePrefix": 24, "gateway": 254},
    "v6": {"subnet": "fd16::/62", "railPrefix": 64, "nodePrefix": 120, "gateway": 254}, "routes": [{"dst": "10.16.0.0/14"}, {"dst": "fd16::/62"}]}'
attach
t_eq "the same place in each rail's block of this node, the third" "10.16.2.0 10.17.2.0 10.18.2.0 10.19.2.0" \
    "$(for rail in 0 1 2 3; do address 0 $rail 4; done | xargs)"
t_eq "and of IPv6" "fd16::200 fd16:0:0:1::200 fd16:0:0:2::200 fd16:0:0:3::200" "$(for rail in 0 1 2 3; do address 0 $rail 6; done | xargs)"
t_eq "leases of two pods" 2 "$(ls /var/lib/railhead/ipam/*.json | wc -l)"
t_eq "IPv4: each pair of rails by the rail that was meant" "" "$(each_pair 4 by_ping)"
t_eq "IPv6: the same" "" "$(each_pair 6 by_ping some)"
detach
t_eq "no lease stays" "" "$(ls /var/lib/railhead/ipam/*.json 2>/dev/null)"
suite_done
