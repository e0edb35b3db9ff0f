#!/bin/bash
# As many pods of two VFs as the node has VFs for, that start at once and end at once, ten times over: the meta plugin gives each its cluster
# network and two rails with their RDMA devices, which kubelet's checkpoint says are its own. RAILHEAD_PFS=8 (`./dev sweep`): 28 pods.
# vm-options: --timeout 3000
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"

rounds=10
rdma_mode exclusive
load_tbrdma
pfs_up
vfs=()
for pf in $pfs; do
    make_vfs "$pf" 7
    for vf in {0..6}; do
        must tbrdma_add "mlx5_${#vfs[@]}" "${pf}v$vf"
        vfs+=("$(vf_pci "$pf" $vf)")
    done
done
pods=$((${#vfs[@]} / 2))
echo "($pods pods, ${#vfs[@]} VFs on $RAILHEAD_PFS PFs)"
for ((i = 0; i < pods; i++)); do make_netns pod$i; done

# The i-th pod has the i-th VF of the first half and that of the second: two PFs
devices_of() { echo "${vfs[$1]}" "${vfs[$1 + pods]}"; }
for ((i = 0; i < pods; i++)); do
    jq -nc --arg uid u$i '{PodUID: $uid, ContainerName: "main", ResourceName: "rdma/vf", DeviceIDs: {"-1": $ARGS.positional}}' --args $(devices_of $i)
done | jq -s '{Data: {PodDeviceEntries: ., RegisteredDevices: {"rdma/vf": $ARGS.positional}}, Checksum: 1}' --args "${vfs[@]}" >/run/checkpoint
mkdir -p /run/nads/ml
for rail in 0 1; do
    jq -n --arg name rail$rail --argjson rail $rail '{kind: "NetworkAttachmentDefinition", metadata: {name: $name, annotations:
        {"k8s.v1.cni.cncf.io/resourceName": "rdma/vf"}}, spec: {config: ({cniVersion: "1.0.0", name: $name, plugins: [{type: "sriov",
        vlan: (100 + $rail), trust: "on", ipam: {type: "host-local", subnet: "10.9.\($rail).0/24"}}, {type: "rdma"}]} | tojson)}}' >/run/nads/ml/rail$rail.json
done
jq -n '{cniVersion: "1.0.0", name: "node", type: "railhead-meta", nadDir: "/run/nads", binDir: "/usr/lib/cni", kubeletCheckpoint: "/run/checkpoint",
    delegates: [{cniVersion: "1.0.0", name: "cluster", type: "macvlan", master: "pf0", ipam: {type: "host-local", subnet: "10.244.0.0/24"}}],
    capabilities: {"io.kubernetes.cri.pod-annotations": true},
    runtimeConfig: {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "rail0,rail1"}}}' >/run/conf.json

# call VERB POD: its output stays in /run/answer.POD, and names the pod in /run/failed when it fails
call() {
    CNI_COMMAND=$1 CNI_CONTAINERID=c$2 CNI_NETNS=/run/netns/pod$2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
        CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=pod-$2;K8S_POD_UID=u$2" \
        "${RAILHEAD_RELEASE:-$RAILHEAD_BIN}/railhead" </run/conf.json >/run/answer.$2 2>&1 || echo "$1 of pod $2: $(cat /run/answer.$2)" >>/run/failed
}
# all VERB: of all pods at once
all() {
    local i calls=()
    for ((i = 0; i < pods; i++)); do call "$1" $i & calls+=($!); done
    wait "${calls[@]}"
}
# has_both POD: its two devices, and no others, are in its namespace, with an RDMA device each
has_both() {
    local links
    links=$(ip -n pod$1 -d -o link) || return
    [ "$(grep -o 'parentdev [^ ]*' <<<"$links" | cut -d' ' -f2 | sort | xargs)" = "$(devices_of $1 | tr ' ' '\n' | sort | xargs)" ] || return
    [ "$(in_netns pod$1 rdma dev | wc -l)" = 2 ]
}
standing() {
    "$RAILHEAD_BIN/vm_dump_node"
    find /run/railhead /var/lib/railhead/pods /var/lib/cni -type f -not -path '*/locks/*' -not -path '*/baseline/*' \
        -not -name '*lock*' -not -name 'last_reserved_ip.*' 2>/dev/null | sort
}

section "$rounds rounds"
# the first makes what is made once
all ADD
all DEL
before=$(standing)
: >/run/failed
wrong=0 slowest=0
for ((round = 1; round <= rounds; round++)); do
    start=${EPOCHREALTIME/[.,]/}
    all ADD
    took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
    [ $took -le $slowest ] || slowest=$took
    for ((i = 0; i < pods; i++)); do has_both $i || { wrong=$((wrong + 1)); echo "round $round: pod $i has not its own two VFs"; }; done
    all DEL
    now=$(standing)
    # RDMA ports and GIDs follow their netdevs a little later
    for ((i = 0; i < 60; i++)); do [ "$now" != "$before" ] || break; sleep .5; now=$(standing); done
    [ "$now" = "$before" ] || break
done
t_eq "no ADD and no DEL failed" "" "$(cat /run/failed)"
t_eq "each pod had its own VFs and their RDMA devices" 0 $wrong
t_eq "after each round the node is what it was" "$before" "$now"
echo "(the slowest round of $pods ADDs at once: $slowest ms)"
suite_done
