#!/bin/bash
# RDMA devices that several pods share: both grammars, shared and exclusive mode of the RDMA subsystem, and a change between them.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../kubelet.sh"

rdma_mode shared
load_tbrdma openable
pfs_up
make_vfs pf0 1
must tbrdma_add mlx5_0 pf0
must tbrdma_add mlx5_1 pf1
must tbrdma_add mlx5_2 pf0v0

mkdir -p /run/test/etc
cat >/run/test/etc/10-list.json <<'J'
{"configList": [
  {"resourceName": "hca", "rdmaHcaMax": 5, "selectors": {"ifNames": ["pf0", "pf1"]}},
  {"resourceName": "old", "rdmaHcaMax": 3, "devices": ["pf1"]},
  {"resourceName": "host", "rdmaHcaMax": 2, "selectors": {"drivers": ["igb"]}, "hostNetworkOnly": true}
]}
J
cat >/run/test/etc/20-pools.yaml <<'Y'
pools:
  - {resourceName: each, resourcePrefix: rdma, kind: shared, perDevice: 4, selectors: {ifNames: [pf0, pf1]}}
  - {resourceName: host_each, resourcePrefix: rdma, kind: shared, perDevice: 2, hostNetworkOnly: true, selectors: {drivers: [igb]}}
  - {resourceName: vf, resourcePrefix: rdma, selectors: {drivers: [igbvf], isRdma: true}}
Y
log=/run/test/agent.log
kubelet_start /run/test/kubelet
agent_start /run/test/etc /run/test/kubelet /run/test/devinfo $log

# given POD RESOURCE [ID]: the device nodes that a container gets with one share, and which devices they are of
given() {
    kubelet allocate "ns/$1" main "$2" "${3:-1}" |
        jq -r '([.devices[].host_path] | sort | join(" ")), (.envs | to_entries[] | select(.key | endswith("_INFO") | not).value)'
}
# nodes_of PCI...: as sysfs has them, and the connection manager's
nodes_of() {
    local pci
    { for pci; do ls "$pci_dir/$pci/infiniband_verbs" "$pci_dir/$pci/infiniband_mad"; done | grep -E '^[a-z]+[0-9]+$'; echo rdma_cm; } |
        sed 's|^|/dev/infiniband/|' | sort | tr '\n' ' ' | sed 's/ $//'
}
# The same without issmN, which pools give only where that is asked for.
nodes_without_issm() { nodes_of "$@" | tr ' ' '\n' | grep -v issm | tr '\n' ' ' | sed 's/ $//'; }
# told RESOURCE: its ids with health and NUMA nodes, one a line
told() { kubelet resources | jq -r --arg r "$1" '.[$r][] | "\(.id) \(.healthy) \(.numa | join(","))"'; }
# opens NETNS NODE: whether a program there can open it, which is where ib_uverbs asks whose the device is
opens() { in_netns "$1" bash -c "exec 3<>$2"; }

section shared mode
check "rdmaHcaMax is the number of shares, whatever the number of devices" kubelet wait rdma/hca 5 90
t_eq "they are numbers, on no NUMA node" "$(printf '%s true \n' {0..4})" "$(told rdma/hca)"
check "the old grammar's devices too" kubelet wait rdma/old 3 90
check "perDevice shares of each device" kubelet wait rdma/each 8 90
t_eq "they are a device's, on its NUMA node" \
    "$(for n in 0 1; do printf "$(pf_pci pf$n)::%s true $n\n" {0..3}; done)" "$(told rdma/each)"
check "a PF is shared though it has VFs, and its VF is a pod's alone" kubelet wait rdma/vf 1 90
t_eq "a share of the list gives all its devices" "$(nodes_of $PF0 $PF1)"$'\n'"$PF0,$PF1" "$(given a rdma/hca)"
t_eq "with the old grammar the named one's" "$(nodes_of $PF1)"$'\n'$PF1 "$(given b rdma/old)"
t_eq "a share of a device gives that device" "$(nodes_without_issm $PF1)"$'\n'$PF1 "$(given c rdma/each $PF1::2)"
t_eq "so does another one of it, to another pod" "$(nodes_without_issm $PF1)"$'\n'$PF1 "$(given d rdma/each $PF1::3)"
make_netns pod0
check "a pod with a network of its own opens the device" opens pod0 "/dev/infiniband/$(ls $pci_dir/$PF1/infiniband_verbs)"
check "and finds it by verbs" in_netns pod0 ibv_devinfo -d mlx5_1
must ip netns delete pod0

section exclusive mode
# The kernel frees a namespace in the background, and refuses while there is one.
wait_for 60 rdma system set netns exclusive || die "cannot change to exclusive mode"
check "within half a minute no share of a list is healthy" kubelet wait rdma/hca 0 90
check "nor of the old grammar" kubelet wait rdma/old 0 90
check "nor of a device" kubelet wait rdma/each 0 90
t_eq "all of them are known to kubelet still" "5 3 8" \
    "$(kubelet resources | jq -r '"\(."rdma/hca" | length) \(."rdma/old" | length) \(."rdma/each" | length)"')"
t_eq "without another registration" 1 "$(kubelet lists rdma/hca | jq .registrations)"
let_agent_look
check "those of pods in the host's network stay healthy" kubelet wait rdma/host 2 90
check "of both grammars" kubelet wait rdma/host_each 4 90
check "and so does a VF that goes to a pod by itself" kubelet wait rdma/vf 1 90
for pci in $PF0 $PF1 $PF0 $PF1; do
    echo change >$pci_dir/$pci/uevent
    sleep .3
done
let_agent_look
t_eq "the log says so once of each pool" "rdma/each rdma/hca rdma/old" \
    "$(sed -nE 's/.*"pool is unhealthy" resource=([^ ]+) .*exclusive mode.*hostNetworkOnly.*/\1/p' $log | sort | tr '\n' ' ' | sed 's/ $//')"
kubelet_ask allocate ns/f main rdma/hca 1
t_match "a pod does not get a share" '"error"' "$REPLY"
make_netns pod0
node=/dev/infiniband/$(ls $pci_dir/$PF1/infiniband_verbs)
check_fails "and indeed one with a network of its own could not open the device" "not permitted" opens pod0 "$node"
check "while the host can" opens '' "$node"
must ip netns delete pod0

section a restart in exclusive mode
kill $agent
wait $agent
hosts=$(kubelet_lists rdma/host) hcas=$(kubelet_lists rdma/hca)
agent_start /run/test/etc /run/test/kubelet /run/test/devinfo $log.2
wait_for 60 listed_since rdma/host $hosts || die "the new agent does not list rdma/host"
check "a new agent offers what it may" kubelet wait rdma/host 2 90
wait_for 60 listed_since rdma/hca $hcas || die "the new agent does not list rdma/hca"
t_eq "and of the others no healthy share" "5 false" "$(kubelet resources | jq -r '."rdma/hca" | "\(length) \(map(.healthy) | any)"')"
t_eq "it says so once of each pool" 3 "$(grep -c 'pool is unhealthy' $log.2)"

section shared mode again
wait_for 60 rdma system set netns shared || die "cannot change to shared mode"
echo change >$pci_dir/$PF0/uevent
check "at the next event all shares are healthy" kubelet wait rdma/hca 5 90
check "those of devices too" kubelet wait rdma/each 8 90
check "and the log says that" grep -q 'pool is healthy again.*resource=rdma/hca' $log.2

section a device that goes
echo "$PF1" >$pci_dir/$PF1/driver/unbind
check "its shares go with it, but for the two that pods have" kubelet wait rdma/each 6 90
check "those of several devices stay" kubelet wait rdma/hca 5 90
t_eq "and give what is left" "$(nodes_of $PF0)"$'\n'$PF0 "$(given g rdma/hca)"
check "a list without a device has the share that a pod has" kubelet wait rdma/old 1 90
for pod in b c d; do kubelet remove ns/$pod >/dev/null; done
check "these go with their pods" kubelet wait rdma/each 4 90
check "and leave the list without a share" kubelet wait rdma/old 0 90
kill $agent
wait $agent
t_eq "SIGTERM ends the agent with code 0" 0 $?
suite_done
