#!/bin/bash
# Who holds which device, and what a pod is given, with a real kubelet: pools that swap their devices, a PF that does not answer, an
# agent that is away, device nodes that were made anew, and a reboot, after which this kubelet starts its pods without an Allocate.
# boots: 2
# needs: RAILHEAD_E2E test/e2e/prepare
# vm-options: --timeout 2400 --memory 2700
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../real-kubelet.sh"
. "$here/../cni.sh"

persist $kubelet_dir /var/lib/railhead
checkpoint=$kubelet_dir/device-plugins/kubelet_internal_checkpoint
agents=0

# config PF-OF-A PF-OF-B: in one step, as a ConfigMap's folder is renewed
config() {
    mkdir -p $e2e/etc
    cat >$e2e/.config <<Y
pools:
- {resourcePrefix: rdma, resourceName: a, selectors: {pfNames: [$1], isRdma: true}}
- {resourcePrefix: rdma, resourceName: b, selectors: {pfNames: [$2], isRdma: true}}
Y
    mv $e2e/.config $e2e/etc/config.yaml
}
# next_agent: one more agent, with a log of its own, which $log names
next_agent() {
    agents=$((agents + 1))
    log=$e2e/agent$RAILHEAD_BOOT.$agents.log
    lists_a=$(lists_taken rdma/a) lists_b=$(lists_taken rdma/b)
    "$RAILHEAD_BIN/railhead-agent" --config-file $e2e/etc/config.yaml --devinfo-dir $e2e/devinfo >$log 2>&1 &
    agent=$!
}
end_agent() {
    kill $agent
    wait $agent
}
# kubelet_knows A B: so many devices of rdma/a and rdma/b, whose lists came since the last agent did: a stopped one's are kept too
has_lists() { registered $log 2 && [ "$(lists_taken rdma/a)" -gt "${lists_a:-0}" ] && [ "$(lists_taken rdma/b)" -gt "${lists_b:-0}" ]; }
kubelet_knows() { wait_for 180 has_lists && { wait_for 30 kubelet_saved $1 $2 || true; }; }
# kubelet_saved A B: so many healthy devices of rdma/a and rdma/b
kubelet_saved() {
    jq -e --argjson a $1 --argjson b $2 \
        '.Data.RegisteredDevices | [(.["rdma/a", "rdma/b"] // [] | length)] == [$a, $b]' $checkpoint
}
agent_status() { "$RAILHEAD_BIN/railhead-agent" status --json; }
# ids RESOURCE HEALTHY: the devices of a resource that are so
ids() { agent_status | jq -r --arg r "$1" --argjson h "$2" '.pools[] | select(.resource == $r) | .devices[] | select(.healthy == $h) | .id' | sort; }
# reason DEVICE...: why they are unhealthy
reason() {
    local device
    for device; do agent_status | jq -r --arg d "$device" '.pools[].devices[] | select(.id == $d and (.healthy | not)) | .reason'; done
}
vfs_of() { { vf_pci $1 0; vf_pci $1 1; } | sort; }
# uverbs_of VF: the name of its node
uverbs_of() { ls "$pci_dir/$1/infiniband_verbs"; }

# what a container says: each start adds a line
show='echo "started with $(echo /dev/infiniband/uverbs*) for $PCIDEVICE_RDMA_A$PCIDEVICE_RDMA_B"; exec sleep 36000'
starts() { pod_log "$1" | grep -c '^started'; }
started() { [ "$(starts "$1")" -ge "$2" ]; }
device_of() { pod_log "$1" | sed -n 's/^started with .* for //p' | tail -1; }
# As the first process of its namespace it hears no other signal.
end_container() { pkill -KILL -f -o 'sleep 36000'; }
# waits_for NAME: why kubelet does not start the pod's container
waits_for() {
    http 10255 /pods | jq -r --arg name "$1-testbed" \
        '.items[] | select(.metadata.name == $name) | .status.containerStatuses[0].state.waiting | "\(.reason): \(.message)"'
}
is_refused() { [[ $(waits_for "$1") == *"must not start"* || $(waits_for "$1") == *"another device there"* ]]; }

mkdir -p $e2e
containerd_start
rdma_mode shared

# ---- the second boot -----------------------------------------------------------------------------------------------------------

if [ "$RAILHEAD_BOOT" = 2 ]; then
    section "a reboot: the same VFs, with other nodes"
    load_tbrdma
    pfs_up
    make_vfs pf0 2
    make_vfs pf1 2
    for vf in pf1v1 pf1v0 pf0v1 pf0v0; do must tbrdma_add rdma_$vf $vf; done
    t_eq "kubelet still has what it gave before" rdma/a "$(jq -r '.Data.PodDeviceEntries[].ResourceName' $checkpoint)"
    config pf0 pf1
    next_agent
    # Kubelet asks nobody while the resource is not registered, and takes devices from pods that it does not see when it starts: the
    # pod is there from the start, and its image is not until then.
    must ctr -a $containerd_socket -n k8s.io images remove localhost/busybox:1
    mkdir -p $e2e/pods
    restart=Always pod r '{"rdma/a": "1"}' sh -c "$show"
    real_kubelet_start
    check "kubelet knows the devices" wait_for 120 registered $log 2
    image localhost/busybox:1 "$runtime/bin/busybox" bin/busybox
    check "the pod of before is not started on another device's node" wait_for 180 is_refused r
    t_match "and says what it was given, and what its device has now" "given .*/dev/infiniband/uverbs[01], .*it has .*/dev/infiniband/uverbs[23]" "$(waits_for r)"
    t_match "and what to do" "delete the pod" "$(waits_for r)"
    check_fails "it has not run" . pod_log r
    t_eq "kubelet did not ask for an allocation" 0 "$(grep -c 'msg="allocated"' $log)"
    remove_pod r
    check "it is deleted" wait_for 180 pod_is_gone r
    restart=Always pod s '{"rdma/a": "2"}' sh -c "$show"
    check "then a new pod has all devices" wait_for 180 started s 1
    remove_pod s
    check "it ends" wait_for 180 pod_is_gone s
    end_agent
    real_kubelet_stop
    [ -z "${RAILHEAD_SHARE:-}" ] || cp $e2e/*.log "$RAILHEAD_SHARE"
    suite_done
fi

# ---- the first boot ------------------------------------------------------------------------------------------------------------

four_rdma_vfs
must tbrdma_add mlx5_4 pf0
must tbrdma_add mlx5_5 pf1
config pf0 pf1
next_agent
real_kubelet_start
check "kubelet knows the devices" kubelet_knows 2 2
restart=Always pod p '{"rdma/a": "1"}' sh -c "$show"
check "a pod with a VF runs" wait_for 180 started p 1
held=$(device_of p)
t_match "of the pool that it asked for" "^($(vfs_of pf0 | paste -sd'|'))$" "$held"

section "two pools swap their PFs"
free=$(vfs_of pf0 | grep -v "$held")
config pf1 pf0
check_becomes "what the pod has is not offered as the other resource" "$free" ids rdma/b true
says_whose() { [[ $(reason "$held") == *"held by default/p-testbed"* ]]; }
check "and the reason names the pod" wait_for 60 says_whose
pod q '{"rdma/b": "2"}' sh -c "$show"
check "a pod that needs it is refused" wait_for 180 pod_is q Failed
remove_pod q
restart=Always pod q2 '{"rdma/b": "1"}' sh -c "$show"
check "one that needs the free one runs" wait_for 180 started q2 1
t_eq "with that" "$free" "$(device_of q2)"
# One more agent where kubelet has saved the two lists in the wrong order.
for try in 1 2 3; do
    end_agent
    next_agent
    kubelet_knows 3 1 || break
    ! kubelet_saved 3 1 || break
done
check "kubelet knows the next agent, and what a pod has by the resource that it has it by" kubelet_saved 3 1
check "an agent that comes later knows whose it is too" wait_for 60 says_whose
t_eq "and does not offer it" "$free" "$(ids rdma/b true)"
for name in q q2; do remove_pod $name; done
for name in q q2; do check "pod $name ends" wait_for 180 pod_is_gone $name; done
config pf0 pf1
check_becomes "swapped back, all are offered" "$(vfs_of pf0)" ids rdma/a true

section "the agent is away"
end_agent
must end_container
sleep 20
t_eq "no container starts without the agent" 1 "$(starts p)"
next_agent
check "it starts when the agent is back" wait_for 120 started p 2
t_eq "with its device" "$held" "$(device_of p)"

section "nodes that were made anew below a running container"
other=$(vfs_of pf0 | grep -v "$held")
given_node=$(uverbs_of "$held") other_node=$(uverbs_of "$other")
held_rdma=$(ls "$pci_dir/$held/infiniband") other_rdma=$(ls "$pci_dir/$other/infiniband")
held_netdev=$(pci_netdev "$held") other_netdev=$(pci_netdev "$other")
must rdma link delete $held_rdma
must rdma link delete $other_rdma
# the lowest free number first
if [[ $given_node < $other_node ]]; then
    must tbrdma_add $other_rdma $other_netdev
    must tbrdma_add $held_rdma $held_netdev
else
    must tbrdma_add $held_rdma $held_netdev
    must tbrdma_add $other_rdma $other_netdev
fi
t_eq "the two devices have changed their nodes" "$other_node $given_node" "$(uverbs_of "$held") $(uverbs_of "$other")"
is_open_to() { [[ $(reason "$other") == *"$given_node is still open to default/p-testbed"* ]]; }
check "the device with the pod's node is not offered" wait_for 60 is_open_to
must end_container
check "the pod's container is not started again" wait_for 180 is_refused p
t_match "and the reason names both nodes" "given .*/dev/infiniband/$given_node, .*it has .*/dev/infiniband/$other_node" "$(waits_for p)"
remove_pod p
check "the pod is deleted" wait_for 180 pod_is_gone p
check_becomes "then all are offered" "$(vfs_of pf0)" ids rdma/a true

section "a PF that does not answer"
tbrdma_hang mlx5_4
ip link set dev pf0 down                                 # its port is asked
does_not_answer() { [[ $(reason $(vfs_of pf0)) == *"does not answer since"* ]]; }
check "its devices are unhealthy, and it is said why" wait_for 60 does_not_answer
t_eq "all of them" "$(vfs_of pf0)" "$(ids rdma/a false)"
t_eq "and no others" "$(vfs_of pf1)" "$(ids rdma/b true)"
pod t '{"rdma/b": "2"}' sh -c "$show"
check "a pod with devices of the other PF runs" wait_for 180 started t 1
remove_pod t
# Its thread in D state keeps the process of the first agent, not the node.
before=$agent
next_agent
check "the next agent stands by" wait_for 60 grep -q 'msg="standby ' $log
began=${EPOCHREALTIME/[.,]/}
kill $before
check "it serves when the first one is told to end" wait_for 10 grep -q 'msg="serving this node"' $log
echo "($(((${EPOCHREALTIME/[.,]/} - began) / 1000)) ms after that)"
check "and is registered" wait_for 60 registered $log 2
check_becomes "it gives out the devices of the other PF" "$(vfs_of pf1)" ids rdma/b true
names_silent() { agent_status | jq -e --arg f "$PF0" '.silent | any(.function == $f)'; }
check "and says which PF does not answer" wait_for 60 names_silent
tbrdma_release
ip link set dev pf0 up
wait_for 60 netdev_has_carrier pf0 || die "pf0 has no carrier"
wait $before
check_becomes "when it answers, all are offered" "$(vfs_of pf0)" ids rdma/a true
check "pod t ends" wait_for 180 pod_is_gone t

section "what a pod without a network leaves on its VF"
pod u '{"rdma/a": "1"}' sh -c "$show"
check "it runs" wait_for 180 started u 1
held=$(device_of u)
number=0
[ "$(vf_pci pf0 0)" = "$held" ] || number=1
baseline=/run/railhead/baseline/$held.json
settings() { ip -j -d link show dev pf0 | jq -c --argjson vf $number '.[0].vfinfo_list[] | select(.vf == $vf) | [.vlan_list, .trust, .address]'; }
as_before=$(settings)
check "what the VF was like before is kept" wait_for 10 [ -e "$baseline" ]
must ip link set dev pf0 vf $number vlan 66
must ip link set dev pf0 vf $number trust on
remove_pod u
check "it ends" wait_for 180 pod_is_gone u
check "and is seen to have left something" wait_for 60 grep -q '"owed": true' "$baseline"
ip netns add next
check "the next pod is attached without a VLAN" cni ADD c1 next net1 "$(cni_conf rail $held)"
t_eq "its VF is as it was before all" "$as_before" "$(settings)"
check "it is given back" cni DEL c1 next net1 "$(cni_conf rail $held)"
t_eq "as it was" "$as_before" "$(settings)"
check "no baseline is left" [ ! -e "$baseline" ]
ip netns del next

section "before a reboot"
restart=Always pod r '{"rdma/a": "1"}' sh -c "$show"
check "a pod has a device" wait_for 180 started r 1
[ -z "${RAILHEAD_SHARE:-}" ] || cp $e2e/*.log "$RAILHEAD_SHARE"
must sync
suite_crash
