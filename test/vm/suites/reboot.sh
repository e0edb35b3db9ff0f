#!/bin/bash
# What a suite with several boots has: folders that stay, also over a crash, and all else new. And what the meta plugin makes of it: pods that
# a power cut took have their records on the disk, and their DEL, GC or reconcile gives back what outlives a boot.
# boots: 2
. "$(dirname "$0")/../fixture.sh"
. "$(dirname "$0")/../cni.sh"

persist /var/lib/kept /var/lib/also-kept /var/lib/railhead /var/lib/cni
kept=/var/lib/kept
boot_id=$(cat /proc/sys/kernel/random/boot_id)

mkdir -p /run/nads/ml
must ip link add up0 type dummy
must ip link set up0 up
jq -n '{kind: "NetworkAttachmentDefinition", metadata: {name: "shared"}, spec: {config: ({cniVersion: "1.0.0", name: "shared", type: "macvlan",
    master: "up0", ipam: {type: "host-local", subnet: "10.9.0.0/24"}} | tojson)}}' >/run/nads/ml/shared.json
conf=$(jq -n '{cniVersion: "1.1.0", name: "node", type: "railhead-meta", nadDir: "/run/nads", binDir: "/usr/lib/cni", delegates: [{cniVersion: "1.0.0",
    name: "cluster", type: "macvlan", master: "up0", ipam: {type: "host-local", subnet: "10.8.0.0/24"}}],
    runtimeConfig: {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "ml/shared"}}}')
leases() { ls /var/lib/cni/networks/{cluster,shared} 2>/dev/null | grep -c '^10\.'; }
records() { ls /var/lib/railhead/pods | wc -l; }
pods() { "$RAILHEAD_BIN/railhead" state --json | jq -r '.pods[].state' | sort | uniq -c | xargs; }

# rail_conf NETDEV: of an interface with an address over rails
rail_conf() {
    jq -nc --arg device "$1" '{cniVersion: "1.0.0", name: "rail", type: "host-device", $device, rail: 0,
        ipam: {type: "rails", v4: {subnets: ["10.1.0.0/16"], nodePrefix: 28}}}'
}
rail_leases() { ls /var/lib/railhead/ipam 2>/dev/null | grep -c json; }

if [ "$RAILHEAD_BOOT" = 1 ]; then
    section the first boot
    t_eq "the disk has nothing of an earlier run" "lost+found var" "$(ls -A /persist | xargs)"
    echo "$boot_id" >$kept/boot-id
    echo written >$kept/synced
    echo written >/var/lib/also-kept/synced
    check "a lock of each kind can be had on one file" flock $kept/synced true
    for pod in 0 1 2; do
        make_netns pod$pod
        check "pod$pod gets its networks" cni ADD c$pod pod$pod eth0 "$conf"
    done
    t_eq "three pods are on record, attached" "3 attached" "$(pods)"
    echo '{"schema":1,"index":2,"source":"list","node":"gpu-2"}' >/var/lib/railhead/node.json
    must sync
    make_netns pod4
    must ip link add nic0 type veth peer name nic1
    check "a pod gets an address over rails" cni ADD c4 pod4 rail0 "$(rail_conf nic0)"
    echo written >$kept/not-synced
    touch /run/of-the-first-boot
    check "what was not synced is seen before the crash" grep -qx written $kept/not-synced
    make_netns pod3
    check "a pod that gets its networks right before the crash" cni ADD c3 pod3 eth0 "$conf"
    suite_crash
fi

section "the second boot"
t_eq "what was synced is there" written "$(cat $kept/synced)"
t_eq "in each folder" written "$(cat /var/lib/also-kept/synced)"
t_eq "what was not is lost" "" "$(cat $kept/not-synced 2>/dev/null)"
t_match "the boot id is told" '^[0-9a-f-]{36}$' "$boot_id"
check "and is another one" test "$(cat $kept/boot-id)" != "$boot_id"
check "/run is new" test ! -e /run/of-the-first-boot

section "pods of the first boot"
t_eq "each has its record, the last one's too: it was flushed before its first plugin" 4 "$(records)"
t_eq "they are stale" "4 stale" "$(pods)"
t_eq "the lease of one over rails was flushed" 1 "$(rail_leases)"
check "a DEL without a namespace's path ends the first" cni DEL c0 '' eth0 "$conf"
t_eq "its record is gone" 3 "$(records)"
t_eq "and its addresses are free" "" "$(grep -l '^c0' -r /var/lib/cni/networks)"
check "GC ends what the runtime does not list" \
    cni GC '' '' '' "$(jq '."cni.dev/valid-attachments" = [{containerID: "c2", ifname: "eth0"}, {containerID: "c3", ifname: "eth0"}]' <<<"$conf")"
t_eq "which leaves the others" 2 "$(records)"
CNI_PATH=/usr/lib/cni check "reconcile ends the rest" "$RAILHEAD_BIN/railhead" reconcile
t_eq "no record is left" 0 "$(records)"
t_eq "and no address" "0 0" "$(leases) $(rail_leases)"
make_netns pod0
must ip link add nic0 type veth peer name nic1
check "a pod of this boot gets an address over rails" cni ADD c5 pod0 rail0 "$(rail_conf nic0)"
t_eq "the one that a pod of the first boot had: none of those lives" 10.1.0.32 \
    "$(ip -n pod0 -j -4 addr show dev rail0 | jq -r '.[].addr_info[0].local')"
check "the late DEL of that one" cni DEL c4 '' rail0 "$(rail_conf nic0)"
t_eq "takes nothing from it" 1 "$(rail_leases)"
check "and its own DEL" cni DEL c5 pod0 rail0 "$(rail_conf nic0)"
t_eq "leaves none" 0 "$(rail_leases)"
check "a pod of this boot gets its networks" cni ADD c0 pod0 eth0 "$conf"
check "and gives them back" cni DEL c0 pod0 eth0 "$conf"
t_eq "whole" "0 0" "$(records) $(leases)"
suite_done
