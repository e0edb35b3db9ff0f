#!/bin/bash
# A program is killed before its calls that change something, one after the other: whatever it had done by then, a DEL gives everything back,
# or, where the pod is gone without one, the reconciler. ADD and DEL for each kind of device, alone, in a chain, two in one transaction; for all
# networks of a pod; and what looks after the node. By default a sample; RAILHEAD_SWEEP=all takes each point, RAILHEAD_SWEEP=N begins the
# sample at another one.
# boots: 2
# vm-options: --pfs 4 --timeout 5400
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../points.sh"

# In the first boot RDMA devices move with their VFs, in the second they are everybody's.
if [ "$RAILHEAD_BOOT" = 1 ]; then rdma_mode exclusive; else rdma_mode shared; fi
sample_step 12
make_netns pod0

# sweep NAME CONF [VERB...]: the verbs of a configuration, by default ADD and DEL, killed at each point, or at every $step-th
sweep() {
    local name=$1 conf=$2 verb list points point what tried wanted dirty full start
    shift 2
    [ $# != 0 ] || set -- ADD DEL
    settle "$conf"
    full=$(dump_node)
    for verb; do
        stand $verb "$conf" >/run/test.log 2>&1 || not_ok "$name: what stands before $verb" "$(cat /run/test.log)"
        mapfile -t list < <(list_points change $verb "$conf")
        points=${#list[@]}
        check "$name: $verb has points" [ "$points" != 0 ]
        undone_soon "$conf" $verb || not_ok "$name: nothing is left of a whole $verb" "$(difference)"
        tried=0 wanted=0 dirty=0 start=$SECONDS
        for ((point = 1 + offset; point <= points; point += step)); do
            what=${list[point - 1]} wanted=$((wanted + 1))
            stand $verb "$conf" >/run/test.log 2>&1 ||
                not_ok "$name: what stands before a $verb that is killed at '$what'" "$(cat /run/test.log)"
            traced kill change:$point $verb "$conf" >/dev/null 2>&1
            [ $? = 137 ] || { not_ok "$name: $verb has the point '$what'"; undone_soon "$conf" $verb; continue; }
            tried=$((tried + 1))
            undone_soon "$conf" $verb || {
                dirty=$((dirty + 1))
                not_ok "$name: $verb killed before '$what' is undone" "$(difference)"
            }
        done
        t_eq "$name: $verb killed at $wanted of $points points: tried, dirty" "$wanted 0" "$tried $dirty"
        echo "($tried points in $((SECONDS - start)) s)"
    done
    check_node_is "$name: the node is what it was" "$full"
}

# typed TYPE BDF [EXTRA]: a configuration of another plugin type
typed() { cni_conf rail "$2" "${3:-}" | jq -c --arg type "$1" '.type = $type'; }

four_rdma_vfs
vf=$(vf_pci pf0 0)
device=$vf
settings='"vlan":100,"vlanQoS":3,"mac":"52:54:00:aa:bb:01","spoofchk":"off","trust":"on","max_tx_rate":100,"mtu":1400'

section "a VF that is down, with all settings"
ip link set dev pf0v0 down
sweep "all settings" "$(cni_conf rail "$vf" "$settings")" ADD DEL reconcile release

section "two VFs in one transaction"
cni_program=("${program[@]}")
program=("$RAILHEAD_BIN/vm_transaction" "$vf" "$(vf_pci pf1 1)")
sweep "transaction" ''
program=("${cni_program[@]}")

section "a whole NIC"
sweep "whole NIC" "$(cni_conf rail "$vf" | jq -c '.type = "host-device" | .pciBusID = .deviceID | del(.deviceID)')" ADD DEL reconcile

section "a VF that was up, as it is"
ip link property add dev pf0v0 altname net1
up_with_carrier pf0v0 || die "pf0v0 has no carrier"
sweep "up" "$(cni_conf rail "$vf")"
sweep "whole NIC, up" "$(typed host-device "$vf")"

if [ "$RAILHEAD_BOOT" = 1 ]; then
    section "a VF by sriov, its RDMA device by rdma behind it"
    conf=$(typed sriov "$vf" '"vlan":100')
    result=$(plain ADD "$conf") || die "ADD by sriov: $result"
    plain DEL "$conf" >/dev/null 2>&1
    sweep "chain, sriov" "$conf"
    ahead=$conf
    sweep "chain, rdma" "$(typed rdma "$vf" | jq -c --argjson result "$result" '.prevResult = $result')"
    ahead=

    section "a pod's networks: a cluster network, two VFs in one transaction, a plugin of Debian's behind one, another one alone"
    device=$(vf_pci pf0 1)                               # pf0v0 has an alternative name that is the cluster network's here
    mkdir -p /run/nads/ml
    # nad NAME PLUGIN...
    nad() {
        jq -n --arg name "$1" --args '{kind: "NetworkAttachmentDefinition", metadata: {name: $name}, spec: {config:
            ({cniVersion: "1.0.0", $name, plugins: [$ARGS.positional[] | fromjson]} | tojson)}}' "${@:2}" >"/run/nads/ml/$1.json"
    }
    lease() { printf '{"type":"host-local","subnet":"10.9.%s.0/24"}' "$1"; }
    nad rail0 '{"type":"sriov","deviceID":"'"$device"'","vlan":100,"ipam":'"$(lease 1)}" '{"type":"rdma"}' \
        '{"type":"tuning","sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"}}'
    nad rail1 '{"type":"railhead","deviceID":"'"$(vf_pci pf1 1)"'","mtu":1400,"ipam":'"$(lease 2)}"
    nad shared '{"type":"macvlan","master":"pf1","ipam":'"$(lease 3)}"
    conf=$(jq -nc --argjson ipam "$(lease 4)" '{cniVersion: "1.0.0", name: "node", type: "railhead-meta", nadDir: "/run/nads", binDir: "/usr/lib/cni",
        ownership: "off", delegates: [{cniVersion: "1.0.0", name: "cluster", type: "macvlan", master: "pf0", $ipam}], runtimeConfig:
        {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "ml/shared@n1,ml/rail0@n2,ml/rail1@n3"}}}')
    kept=(/var/lib/cni/networks/{cluster,rail0,rail1,shared} {/var/lib,/run}/railhead/pods /run/railhead/left)
    step=$((step * 3))
    sweep "pod" "$conf" ADD DEL reconcile
    section "a pod over four rails, each with an address and a routing table of its own"
    rails=(pf0 pf2 pf3 pf1)
    for pf in pf2 pf3; do make_vfs $pf 1; must tbrdma_add rdma_$pf ${pf}v0; done
    mkdir -p /var/lib/railhead
    echo '{"schema":1,"index":2,"source":"list","node":"gpu-2"}' >/var/lib/railhead/node.json
    jq -n '{schema: 1, rails: [$ARGS.positional[] | [.]]}' --args $(for pf in "${rails[@]}"; do pf_pci $pf; done) >/var/lib/railhead/rail_map.json
    jq -n '{Data: {PodDeviceEntries: [{PodUID: "u0", ContainerName: "main", ResourceName: "rdma/vf", DeviceIDs: {"-1": $ARGS.positional}}],
        RegisteredDevices: {"rdma/vf": []}}, Checksum: 1}' --args "$(vf_pci pf0 1)" $(for pf in pf2 pf3 pf1; do vf_pci $pf 0; done) >/run/checkpoint
    jq -n '{kind: "NetworkAttachmentDefinition", metadata: {name: "rails", annotations: {"k8s.v1.cni.cncf.io/resourceName": "rdma/vf"}}, spec: {config:
        ({cniVersion: "1.0.0", name: "rails", type: "railhead", rails: 4, mtu: 1400, ipam: {type: "rails", rails: 4, v4: {subnet: "10.16.0.0/14",
        railPrefix: 16, nodePrefix: 24, gateway: 254}, routes: [{dst: "10.16.0.0/14"}]}} | tojson)}}' >/run/nads/ml/rails.json
    conf=$(jq -nc --argjson ipam "$(lease 4)" '{cniVersion: "1.0.0", name: "node", type: "railhead-meta", nadDir: "/run/nads", binDir: "/usr/lib/cni",
        ownership: "off", kubeletCheckpoint: "/run/checkpoint", delegates: [{cniVersion: "1.0.0", name: "cluster", type: "macvlan", master: "pf0", $ipam}],
        runtimeConfig: {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "rails"}}}')
    cni_args="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=pod-0;K8S_POD_UID=u0"
    device=$(vf_pci pf1 0)
    kept=(/var/lib/cni/networks/cluster {/var/lib,/run}/railhead/pods /run/railhead/left /var/lib/railhead/ipam)
    step=$((step * 2))
    sweep "rails" "$conf" ADD DEL reconcile
    cni_args=
    sample_step 12
    kept=(/var/lib/cni/networks/rail)
    device=$vf

    section "two RDMA devices on one VF"
    must tbrdma_add mlx5_4 pf0v0
    sweep "two RDMA devices" "$(cni_conf rail "$vf")"
    must rdma link delete mlx5_4

    section "a VF that is reset"
    vf=$(vf_pci pf0 1)
    device=$vf
    # Its RDMA device goes first: unlike a NIC's driver, igbvf makes none when it is bound
    must rdma link delete "$(ls $pci_dir/$vf/infiniband)"
    sweep "reset" "$(cni_conf rail "$vf" "$settings,\"reset\":true")" DEL reconcile

    section "a VF that a userspace driver holds"
    vf=$(vf_pci pf1 0)
    device=$vf
    must modprobe vfio-pci enable_sriov=1
    echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
    echo vfio-pci >$pci_dir/$vf/driver_override
    echo "$vf" >/sys/bus/pci/drivers_probe
    sweep "vfio" "$(cni_conf rail "$vf" '"vlan":100,"mac":"52:54:00:aa:bb:02","trust":"on"')" ADD DEL release
    sweep "vfio, reset" "$(cni_conf rail "$vf" '"vlan":100,"reset":true')" DEL
fi

section "an InfiniBand VF that is given a GUID"
for name in $(rdma dev show | sed -n 's/^[0-9]*: \([^:]*\):.*/\1/p'); do must rdma link delete "$name"; done
ib_vfs pf1 2
vf=$(vf_pci pf1 0)
device=$vf home_type=32
tidy() { name_ethernet pf1; }
sweep "InfiniBand" "$(cni_conf rail "$vf" '"link_state":"enable","args":{"cni":{"guid":"02:00:00:00:00:00:00:11"}}')" ADD DEL reconcile
suite_done
