# The demo's one code path: in the VM ($RAILHEAD_VM=1), on a machine with SR-IOV hardware, and as
# a test (suites/demo.sh). Ends with a non-zero code at the first step that fails.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
. "$here/cni.sh"
. "$here/kubelet.sh"
. "$here/node.sh"

. "$here/demo-words.sh"
ms() { echo $((($2 - $1 + 500) / 1000)); }      # of two $EPOCHREALTIME without their points
now() { echo "${EPOCHREALTIME/[.,]/}"; }

work=$(mktemp -d /tmp/railhead-demo.XXXXXX)
agent= vf0= vf1= ipam= ib=${RAILHEAD_DEMO_IB:-}
guid0=02:00:00:00:00:00:00:a0 guid1=02:00:00:00:00:00:00:a1
# conf_of POD: its network; InfiniBand's VFs get a GUID each
conf_of() {
    local vf=vf$1 guid=guid$1 conf
    conf=$(cni_conf rail0 "${!vf}" "$ipam")
    if [ -n "$ib" ]; then jq -c --arg guid "${!guid}" '.args.cni.guid = $guid' <<<"$conf"; else echo "$conf"; fi
}
cleanup() {
    [ -z "$agent" ] || kill "$agent" 2>/dev/null || true
    local pod
    for pod in 0 1; do
        # After a step that failed: what is attached is given back before its namespace goes.
        [ ! -e /run/netns/railhead-pod$pod ] ||
            cni DEL demo-pod$pod railhead-pod$pod net1 "$(conf_of $pod)" >/dev/null 2>&1 || true
        [ ! -e /run/netns/railhead-pod$pod ] || ip netns delete railhead-pod$pod || true
    done
    # What Allocate gave to pods that were none: a later ADD without an agent would compare with it.
    [ -z "$vf0" ] || rm -f /run/railhead/allocations/"$vf0".json /run/railhead/allocations/"$vf1".json
    rm -rf "$work"
}
trap cleanup EXIT

gpus=()
# ---- the node ------------------------------------------------------------------------------------
if [ "${RAILHEAD_VM:-}" = 1 ]; then
    echo "The VM is up; making its VFs and their RDMA devices (about 10 s)"
    . "$here/fixture.sh"
    set -e
    gpus=(--gpu-class 00ff --gpu-class 0380 --gpu-vendor 1234)    # what QEMU has in place of GPUs
    rdma_mode exclusive
    if [ -n "$ib" ]; then
        load_tbrdma
        pfs_up
        ib_vfs pf0 2
    else
        four_rdma_vfs
        modprobe siw
    fi
fi
config=${RAILHEAD_DEMO_CONFIG:-}
if [ -z "$config" ]; then
    config=$work/config.json
    cat >"$config" <<'J'
{"resourceList": [{
  "resourcePrefix": "rdma",
  "resourceName": "vf",
  "selectors": {"drivers": ["igbvf", "mlx5_core"], "isRdma": true}
}]}
J
fi

title "The node"
show "$RAILHEAD_BIN/railhead-agent" inventory "${gpus[@]}"
show "$RAILHEAD_BIN/railhead-agent" topology "${gpus[@]}"

if [ "${RAILHEAD_VM:-}" != 1 ]; then
    for program in /usr/lib/cni/host-local /usr/bin/rping /usr/bin/ping /usr/bin/jq; do
        [ -x $program ] || die "$program is missing: apt-get install containernetworking-plugins rdmacm-utils iputils-ping jq"
    done
    [ ! -e /run/railhead/agent.lock ] || flock -n /run/railhead/agent.lock true ||
        die "an agent serves this node (pid $(cat /run/railhead/agent.lock)): stop it for the time of the demo"
    printf '\nThis will start an agent with %s, and move two of the VFs it offers, of two PFs where there are two,\n' "$config"
    printf 'into two new network namespaces and back. Go on? [y/N] '
    read -r answer
    [ "$answer" = y ] || [ "$answer" = Y ] || { echo "Nothing was changed."; exit 0; }
fi

title "The agent, its configuration, and the pools that kubelet sees"
sed 's/^/   /' "$config"
kubelet_start "$work/kubelet"
agent_start "$config" "$work/kubelet" "$work/devinfo" "$work/agent.log"
# Devices for one container each: a share of a device ("0000:3b:00.2::0") is no VF to attach.
usable='map_values(map(select(.healthy and (.id | contains("::") | not))))'
resource_with_two() { kubelet resources | jq -er "$usable"' | [to_entries[] | select(.value | length >= 2) | .key][0] // empty'; }
wait_for 60 resource_with_two || {
    "$RAILHEAD_BIN/railhead-agent" explain --config-file "$config" || true
    die "kubelet sees no resource with two healthy VFs; above, what the configuration makes of each device"
}
resource=$(resource_with_two)
pools=$(kubelet resources)
jq -r 'to_entries[] | "   \(.key): \(.value | length) devices",
       (.value[] | "      \(.id)  \(if .healthy then "Healthy" else "Unhealthy" end)  NUMA \(if .numa == [] then "-" else (.numa | map(tostring) | join(",")) end)")' <<<"$pools"

# One VF of each PF where there are two PFs.
mapfile -t ids < <(jq -r --arg r "$resource" "$usable"' | .[$r][].id' <<<"$pools" | sort)
vf0=${ids[0]} vf1=
for id in "${ids[@]:1}"; do
    vf1=${vf1:-$id}
    if [ "$(readlink -f "/sys/bus/pci/devices/$id/physfn")" != "$(readlink -f "/sys/bus/pci/devices/$vf0/physfn")" ]; then
        vf1=$id
        break
    fi
done
[ -n "$vf1" ] || die "the resource $resource has fewer than two devices"
before=$(dump_node)

# ---- two pods ------------------------------------------------------------------------------------
title "Two pods ask for $resource: 1 each; what Allocate answered"
for pod in 0 1; do
    id=vf$pod
    answer=$(kubelet allocate "demo/pod$pod" trainer "$resource" "${!id}")
    say "pod$pod:"
    jq -r '(.envs | to_entries[] | "      \(.key)=\(.value)"),
           (.devices[] | "      device \(.container_path) (\(.permissions))")' <<<"$answer"
done

title "CNI ADD: each VF moves into its pod, named net1, with its RDMA device"
RAILHEAD_LOG_DIR=$work; export RAILHEAD_LOG_DIR
ipam='"logFile":"'$work'/cni.log","ipamDirs":["'$work'/ipam"],"ipam":{"type":"host-local","subnet":"10.77.0.0/24","dataDir":"'$work'/ipam"}'
for pod in 0 1; do
    ip netns add railhead-pod$pod
    ip -n railhead-pod$pod link set dev lo up
    start=$(now)
    result=$(cni ADD demo-pod$pod railhead-pod$pod net1 "$(conf_of $pod)") ||
        die "ADD for pod$pod: $result"
    say "pod$pod: $(jq -rc '[.interfaces[0].name, .interfaces[0].mac, .ips[0].address] | join("  ")' <<<"$result")  in $(ms "$start" "$(now)") ms"
done
address0=$(ip -n railhead-pod0 -j -4 addr show dev net1 | jq -r '.[].addr_info[0].local')

traffic() {
    title "The pods reach each other"
    for pod in 0 1; do
        if [ "${RAILHEAD_VM:-}" = 1 ]; then up_with_carrier net1 railhead-pod$pod; fi
    done
    wait_for 60 ip netns exec railhead-pod1 ping -c 1 -W 5 "$address0" || true
    show ip netns exec railhead-pod1 ping -c 3 -i 0.2 -W 5 "$address0"

    title "RDMA between the pods, over their VFs"
    if [ "${RAILHEAD_VM:-}" = 1 ]; then
        say "(the VM's RDMA devices have no data path, so siw, software RDMA, is put on each VF inside its pod)"
        for pod in 0 1; do siw_add siw$pod railhead-pod$pod net1; done
    fi
    timeout 180 ip netns exec railhead-pod0 rping -s -a "$address0" -C 10 >"$work/rping" 2>&1 &
    server=$!
    wait_for 60 ip netns exec railhead-pod0 grep -qi ':1c06 ' /proc/net/tcp || true
    show timeout 180 ip netns exec railhead-pod1 rping -c -v -a "$address0" -C 3 2>"$work/rping-client"
    wait $server 2>/dev/null || true
    if [ "${RAILHEAD_VM:-}" = 1 ]; then
        for pod in 0 1; do siw_del siw$pod railhead-pod$pod; done
    fi
}

# guids: what the pods' devices say of themselves, and the PF of both
guids() {
    title "Each pod has its GUID"
    say "(IPoIB has no carrier in the VM, so no packet passes: what each device says of itself)"
    for pod in 0 1; do
        show ip netns exec railhead-pod$pod cat /sys/class/infiniband/mlx5_$((pod + 1))/node_guid
        show ip -n railhead-pod$pod -br link show dev net1
    done
    show ip link show dev "$(pci_netdev "$PF0" 32)"
}

if [ -n "$ib" ]; then guids; else traffic; fi

title "Where the RDMA devices are now"
say "on the host:"
show rdma link
for pod in 0 1; do
    say "in pod$pod:"
    show ip netns exec railhead-pod$pod rdma link
done
if rdma system show | grep -q "netns exclusive"; then
    for pod in 0 1; do
        device=$(ip netns exec railhead-pod$pod rdma dev show | sed -n 's/^[0-9]*: \([^:]*\):.*/\1/p')
        [ -n "$device" ] || die "pod$pod has no RDMA device"
        ! rdma dev show "$device" >/dev/null 2>&1 || die "$device of pod$pod is seen on the host too"
    done
    good "each pod has its RDMA device, and the host has them no more"
fi

title "CNI DEL: everything is given back"
for pod in 0 1; do
    start=$(now)
    result=$(cni DEL demo-pod$pod railhead-pod$pod net1 "$(conf_of $pod)") ||
        die "DEL for pod$pod: $result"
    say "pod$pod: in $(ms "$start" "$(now)") ms"
    kubelet remove "demo/pod$pod" >/dev/null
    ip netns delete railhead-pod$pod
done

title "Before and after, by iproute2, rdma, ethtool and sysfs"
[ -z "$ib" ] || name_ethernet pf0
# GIDs and port states follow their netdevs a moment later
for try in {1..30}; do
    after=$(dump_node)
    [ "$before" != "$after" ] || break
    sleep 1
done
say "left out of the comparison:"
node_exclusions | sed 's/^/      - /'
if [ "$before" != "$after" ]; then
    diff -U2 --label before --label after <(printf '%s\n' "$before") <(printf '%s\n' "$after") || true
    die "the node is not as it was before"
fi
good "no difference in $(wc -l <<<"$before") lines about PFs, VFs and RDMA devices"

kill "$agent"
wait "$agent" || die "the agent did not end cleanly: $(tail -3 "$work/agent.log")"
agent=
good "The main job is done: advertised, allocated, attached, used, given back."
