#!/bin/bash
# InfiniBand VFs with IPoIB, by the types ib-sriov and railhead: GUIDs as iproute2 shows them, what the kernel makes anew on the way; and pods
# that a power cut took.
# boots: 2
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"

# In the first boot RDMA devices move with their VFs, in the second they are everybody's.
if [ "$RAILHEAD_BOOT" = 1 ]; then mode=exclusive; else mode=shared; fi
kept=/var/lib/kept
persist /var/lib/railhead $kept
rdma_mode $mode
load_tbrdma
pfs_up
ib_vfs pf1 2
vf=$(vf_pci pf1 0)
ib=$(pci_netdev "$PF1" 32)
make_netns pod0 pod1
check_is_before() {
    name_ethernet pf1
    check_node_is "$1" "$before"
}
asked=02:00:00:00:00:00:00:11
# in_sysfs GUID: as sysfs writes it
in_sysfs() { sed -E 's/(..):(..):?/\1\2:/g; s/:$//' <<<"$1"; }
# typed TYPE [EXTRA]
typed() { cni_conf ib "$vf" "${2:-}" | jq -c --arg type "$1" '.type = $type'; }
where() { if [ $mode = exclusive ]; then echo pod0; fi; }
node_guid() { in_netns "$(where)" cat /sys/class/infiniband/mlx5_1/node_guid; }
port_guid() { ip -n pod0 -o link show dev net1 | grep -o 'link/infiniband [^ ]*' | cut -c53-; }

isolation=
[ $mode = shared ] || isolation='"rdmaIsolation":true'

# A pod of the meta plugin's, with VF 0: in the first boot it is attached right before a power cut, which takes all but its record on the disk.
mkdir -p /run/nads/ml
must ip link add up0 type dummy
must ip link set up0 up
jq -n --argjson conf "$(typed ib-sriov "${isolation:+$isolation,}"'"args":{"cni":{"guid":"'$asked'"}}')" \
    '{kind: "NetworkAttachmentDefinition", metadata: {name: "ib"}, spec: {config: ($conf | tojson)}}' >/run/nads/ml/ib.json
pod=$(jq -nc '{cniVersion: "1.0.0", name: "node", type: "railhead-meta", nadDir: "/run/nads", binDir: "/usr/lib/cni", ownership: "off",
    delegates: [{cniVersion: "1.0.0", name: "cluster", type: "macvlan", master: "up0"}],
    runtimeConfig: {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "ml/ib"}}}')
pods() { "$RAILHEAD_BIN/railhead" state --json | jq -r '.pods[].state' | xargs; }
# What is on record: pods, and who has which device
on_record() { ls /var/lib/railhead/pods /run/railhead/{pods,attachments,devices} | grep -vE '^$|:$'; }
# guids_at_pf VF: what the PF keeps for it
guids_at_pf() { ip -o link show dev "$ib" | tr '\\' '\n' | sed -n "s/^ *vf $1 .*NODE_GUID \([^,]*\), PORT_GUID \([^,]*\),.*/\1 \2/p"; }

if [ "$RAILHEAD_BOOT" = 2 ]; then
    section "pods that a power cut took"
    t_eq "the record of the pod of before is there, and stale" stale "$(pods)"
    # This boot has made VF 1 with another GUID than the one before had.
    anew=02:00:00:00:00:00:00:99
    for kind in node_guid port_guid; do must ip link set dev "$ib" vf 1 $kind $anew; done
    other=02:00:00:00:00:00:00:22
    next=$(typed ib-sriov '"runtimeConfig":{"infinibandGUID":"'$other'"}')
    stands=$("$RAILHEAD_BIN/vm_dump_node")
    # As on a node whose /run outlives a boot
    mkdir -p -m 0700 /run/railhead
    must cp -a $kept/{attachments,devices} /run/railhead
    result=$(cni ADD c1 pod0 net1 "$next") || not_ok "the VF's next pod gets it" "$result"
    check "DEL of the pod of before, late" cni DEL c9 pod9 eth0 "$pod"
    t_eq "its VF's next pod keeps it, and its GUID" "$other" "$(port_guid)"
    t_eq "so says the PF" "$other $other" "$(guids_at_pf 0)"
    check "DEL of the next pod" cni DEL c1 pod0 net1 "$next"
    check "DEL of a VF whose record is of the boot before" cni DEL c8 pod8 net1 "$(cat $kept/conf)"
    t_eq "which changes nothing of it" "$anew $anew" "$(guids_at_pf 1)"
    t_eq "nothing is on record any more" "" "$(on_record)"
    name_ethernet pf1
    check_becomes "each VF is as this boot has made it" "$stands" "$RAILHEAD_BIN/vm_dump_node"
fi
before=$(dump_node)

section "as it is"
conf=$(typed ib-sriov "$isolation")
check "ADD" cni ADD c1 pod0 net1 "$conf"
check "the pod has its netdev" ip -n pod0 link show dev net1
check "its RDMA device is where it belongs" rdma_device_is_in mlx5_1 "$(where)"
check "CHECK" cni CHECK c1 pod0 net1 "$(jq -c '.prevResult = {cniVersion: "1.0.0", interfaces: []}' <<<"$conf")"
check "DEL" cni DEL c1 pod0 net1 "$conf"
check_is_before "the node is what it was"

section "with a GUID"
conf=$(typed ib-sriov "${isolation:+$isolation,}"'"link_state":"enable","runtimeConfig":{"infinibandGUID":"'$asked'"}')
result=$(cni ADD c1 pod0 net1 "$conf") || not_ok "ADD" "$result"
t_match "the result has it" "$asked" "$(jq -r '.interfaces[0].mac' <<<"$result")"
t_eq "the pod's netdev too" $asked "$(port_guid)"
t_eq "and its RDMA device" "$(in_sysfs $asked)" "$(node_guid)"
t_match "as the PF says" "vf 0 .*NODE_GUID $asked, PORT_GUID $asked, .*state enable" "$(ip link show dev "$ib" | tr '\n' ' ')"
node=/dev/infiniband/$(ls "$pci_dir/$vf/infiniband_verbs")
in_netns "$(where)" bash -c 'exec 3<>"$1" && echo $$ >/run/holder && exec sleep infinity' - "$node" &
wait_for 30 test -s /run/holder || not_ok "a process of the pod opens $node"
check "DEL, which binds its driver again though a process has $node open" cni DEL c1 pod0 net1 "$conf"
check "that process goes on" kill -0 "$(cat /run/holder)"
check_is_before "the node is what it was"
kill "$(cat /run/holder)"
{ wait; } 2>/dev/null

section "the pod's namespace ends without a DEL"
result=$(cni ADD c1 pod0 net1 "$conf") || not_ok "ADD" "$result"
must ip netns delete pod0
check "DEL" cni DEL c1 pod0 net1 "$conf"
make_netns pod0
check_is_before "the node is what it was"

section "by type railhead, and as another pod's next"
result=$(cni ADD c1 pod0 net1 "$(typed railhead '"args":{"cni":{"guid":"'$asked'"}}')") || not_ok "ADD" "$result"
t_eq "it has its GUID" $asked "$(port_guid)"
check_fails "another pod does not get it" "c1" cni ADD c2 pod1 net1 "$conf"
must ip netns delete pod0
check "when the pod is gone it does" wait_for 30 cni ADD c2 pod1 net1 "$(typed railhead)"
check "DEL" cni DEL c2 pod1 net1 "$(typed railhead)"
check "DEL of the first pod, late" cni DEL c1 pod0 net1 "$(typed railhead)"
make_netns pod0
check_is_before "the node is what it was"

if [ $mode = exclusive ]; then
    section "a chain of ib-sriov and rdma"
    first_conf=$(typed ib-sriov '"runtimeConfig":{"infinibandGUID":"'$asked'"},"ipam":{"type":"static","addresses":[{"address":"10.9.0.1/24"}]}')
    first=$(cni ADD c1 pod0 net1 "$first_conf") || not_ok "ADD of ib-sriov" "$first"
    check "after ib-sriov the RDMA device is in the host" rdma_device_is_in mlx5_1
    second_conf=$(typed rdma | jq -c --argjson result "$first" '.prevResult = $result')
    second=$(cni ADD c1 pod0 net1 "$second_conf") || not_ok "ADD of rdma" "$second"
    check "after rdma it is in the pod" rdma_device_is_in mlx5_1 pod0
    t_match "with a netdev that has its address" "inet 10.9.0.1/24" "$(ip -n pod0 -4 addr show net1)"
    t_eq "and its GUID" $asked "$(port_guid)"
    t_eq "the result has its hardware address" "$(ip -n pod0 -j link show net1 | jq -r '.[0].address')" "$(jq -r '.interfaces[0].mac' <<<"$second")"
    check "DEL of rdma" cni DEL c1 pod0 net1 "$second_conf"
    check "DEL of ib-sriov" cni DEL c1 pod0 net1 "$first_conf"
    check_is_before "the node is what it was"
fi

section "what is refused changes nothing"
check_fails "a VLAN" "vlan: $vf is an InfiniBand VF" cni ADD c1 pod0 net1 "$(typed railhead '"vlan":5')"
check_fails "a GUID of zeros" "invalid guid" cni ADD c1 pod0 net1 "$(typed ib-sriov '"runtimeConfig":{"infinibandGUID":"00:00:00:00:00:00:00:00"}')"
check_fails "type sriov" "attached,? by the types ib-sriov and railhead" cni ADD c1 pod0 net1 "$(typed sriov)"
must ip link add link "$(pci_netdev "$vf" 32)" name ib.8001 type ipoib pkey 0x8001
check_fails "a partition of the host's on it" "ib.8001 stands on $vf" cni ADD c1 pod0 net1 "$conf"
must ip link del ib.8001
check_is_before "the node is what it was"

if [ $mode = shared ]; then
    section "all VFs of a PF at once, a GUID for each"
    # each_vf VERB KEYS: for all seven at once, "@" in KEYS being the number; the exit codes, in their order
    each_vf() {
        local n pids=()
        for n in {0..6}; do
            cni "$1" many$n many$n net1 "$(cni_conf ib "$(vf_pci pf1 $n)" "${2//@/$n}")" >/run/many$n 2>&1 & pids+=($!)
        done
        for n in {0..6}; do
            wait "${pids[n]}" && printf '0 ' || { printf '%s ' $?; cat /run/many$n >&2; }
        done
    }
    clean_node
    ib_vfs pf1 7
    before=$("$RAILHEAD_BIN/vm_dump_node")
    make_netns many{0..6}
    guid_of() { ip -n many$1 -o link show dev net1 | grep -o 'link/infiniband [^ ]*' | cut -c53-; }
    keys='"args":{"cni":{"guid":"02:00:00:00:00:00:01:0@"}}'
    start=$SECONDS
    t_eq "each ADD does its work" "0 0 0 0 0 0 0 " "$(each_vf ADD "$keys")"
    echo "($((SECONDS - start)) s, each with a start of its driver)"
    for n in {0..6}; do
        t_eq "pod $n has its GUID, and no other" "02:00:00:00:00:00:01:0$n" "$(guid_of $n)"
    done
    t_eq "each DEL does" "0 0 0 0 0 0 0 " "$(each_vf DEL "$keys")"

    section "the same, from a pool of seven"
    pool='"guidPool":"02:00:00:00:00:00:02:00-02:00:00:00:00:00:02:06"'
    t_eq "each ADD does its work" "0 0 0 0 0 0 0 " "$(each_vf ADD "$pool")"
    t_eq "each pod has another GUID of the pool" 7 "$(for n in {0..6}; do guid_of $n; done | sort -u | grep -c '^02:00:00:00:00:00:02:0[0-6]$')"
    t_eq "each DEL does" "0 0 0 0 0 0 0 " "$(each_vf DEL "$pool")"
    for n in {0..6}; do ip netns delete many$n; done
    name_ethernet pf1
    check_becomes "the node is what it was" "$before" "$RAILHEAD_BIN/vm_dump_node"
    suite_done
fi

section "pods with VFs, right before a power cut"
make_netns pod8 pod9
conf=$(cni_conf ib "$(vf_pci pf1 1)" '"args":{"cni":{"guid":"02:00:00:00:00:00:00:33"}}')
result=$(cni ADD c8 pod8 net1 "$conf") || not_ok "ADD" "$result"
echo "$conf" >$kept/conf
must cp -a /run/railhead/{attachments,devices} $kept
must sync
result=$(cni ADD c9 pod9 eth0 "$pod") || not_ok "ADD of a pod's networks" "$result"
t_eq "the pod has its GUID" $asked "$(ip -n pod9 -o link show dev net1 | grep -o 'link/infiniband [^ ]*' | cut -c53-)"
t_eq "it is attached" attached "$(pods)"
suite_crash
