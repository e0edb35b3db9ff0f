# The agent follows the node: devices that come and go, a changed configuration, a restart.
# alone: it measures the time from an event to the update
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../kubelet.sh"

rdma_mode exclusive
pfs_up
make_vfs pf0 2
make_vfs pf1 2
mkdir -p /run/test/etc
one_pool='{"resourcePrefix": "net", "resourceName": "vf", "selectors": {"drivers": ["igbvf"], "rootDevices": ["'$PF0'"]}}'
rdma_pool='{"resourcePrefix": "rdma", "resourceName": "vf", "selectors": {"drivers": ["igbvf"], "rootDevices": ["'$PF1'"], "isRdma": true}}'
config() { printf '{"resourceList": [%s]}\n' "$1" >/run/test/etc/config.json; }
config "$one_pool,$rdma_pool"
kubelet_start /run/test/kubelet
agent_start /run/test/etc/config.json /run/test/kubelet /run/test/devinfo /run/test/agent.log
check "two VFs are offered at the start" kubelet wait net/vf 2 90
now_us() { echo "${EPOCHREALTIME/[.,]/}"; }
# registrations RESOURCE: how often kubelet was told of it
registrations() { kubelet lists "$1" | jq .registrations; }

section drivers
vf=$(vf_pci pf0 1) quickest=
for round in 1 2 3; do
    echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
    start=$(now_us)
    check "a VF whose driver is unbound is withdrawn" kubelet wait net/vf 1 90
    took=$((($(now_us) - start) / 1000))
    [ "${quickest:-$took}" -lt $took ] || quickest=$took
    echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
    check "and offered again when it is bound" kubelet wait net/vf 2 90
done
echo "(withdrawn $quickest ms after it was unbound; './dev bench' holds it against its goal)"
check "by the event, not by a look every few seconds" test $quickest -lt 2000

section the number of VFs
echo 0 >$pci_dir/$PF0/sriov_numvfs
check "without VFs the pool is empty" kubelet wait net/vf 0 90
echo 5 >$pci_dir/$PF0/sriov_numvfs
check "five VFs are seen" kubelet wait net/vf 5 90
t_eq "on the stream the pool had" 1 "$(registrations net/vf)"

section a PF that goes and comes back
echo 1 >$pci_dir/$PF0/remove
check "its VFs are withdrawn" kubelet wait net/vf 0 90
echo 1 >/sys/bus/pci/rescan
wait_for 60 pci_netdev $PF0 || die "the PF did not come back"
echo 3 >$pci_dir/$PF0/sriov_numvfs
check "the VFs of the PF that is back are offered" kubelet wait net/vf 3 90
t_eq "on the stream the pool had" 1 "$(registrations net/vf)"

section hot-unplug
must qmp device_del '{"id":"nic0"}' >/dev/null
check "the VFs of an unplugged NIC are withdrawn" kubelet wait net/vf 0 90
nic='{"driver":"igb","id":"nic0","bus":"ds0","netdev":"n0","mac":"52:54:00:00:00:10","romfile":""}'
# The slot takes a device again when the old one has been powered off.
wait_for 60 qmp device_add "$nic" || die "the NIC cannot be plugged in: $(qmp device_add "$nic")"
wait_for 60 pci_netdev $PF0 || die "the NIC that was plugged in did not come up"
echo 2 >$pci_dir/$PF0/sriov_numvfs
check "those of the NIC that is plugged in again are offered" kubelet wait net/vf 2 90

section RDMA devices that come late
check "without RDMA the pool is offered empty" kubelet wait rdma/vf 0 90
load_tbrdma
must tbrdma_add mlx5_0 pf1v0
check "the device is offered when it has its RDMA device" kubelet wait rdma/vf 1 90
must tbrdma_add mlx5_1 pf1v1
check "and the second" kubelet wait rdma/vf 2 90

section a busy node
lists=$(kubelet lists net/vf)
for i in {1..20}; do ip link add va$i type veth peer name vb$i; ip link del va$i; done
must rdma link delete mlx5_1
check "the agent has looked since" kubelet wait rdma/vf 1 90
t_eq "veth pairs are of no concern" "$lists" "$(kubelet lists net/vf)"
must tbrdma_add mlx5_1 pf1v1
check "the device is back" kubelet wait rdma/vf 2 90

section more events than can be kept
kill -STOP $agent
for ((i = 0; i < 8000; i++)); do echo change >$pci_dir/$PF1/uevent; done
echo 0 >$pci_dir/$PF0/sriov_numvfs
kill -CONT $agent
check "what happened among the lost events is seen" kubelet wait net/vf 0 90
check "and that events were lost" grep -q "events were lost" /run/test/agent.log
echo 2 >$pci_dir/$PF0/sriov_numvfs
check "later events are heard" kubelet wait net/vf 2 90

section a restart while a pod holds a device
make_netns pod0
vf=$(vf_pci pf1 0)
kubelet allocate ns/a main rdma/vf "$vf" >/dev/null
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")") || not_ok "ADD" "$result"
check "the device is in the pod" rdma_device_is_in mlx5_0 pod0
let_agent_look
check "and is still offered" kubelet wait rdma/vf 2 90
kill $agent
wait $agent
rdma_lists=$(kubelet_lists rdma/vf) net_lists=$(kubelet_lists net/vf)
agent_start /run/test/etc/config.json /run/test/kubelet /run/test/devinfo /run/test/agent.log
wait_for 60 listed_since rdma/vf $rdma_lists || not_ok "a new agent lists its devices" "$(tail -3 /run/test/agent.log)"
wait_for 60 listed_since net/vf $net_lists || not_ok "those of the other pool too" "$(tail -3 /run/test/agent.log)"
healthy_ids() { kubelet resources | jq -r '.["rdma/vf"][] | select(.healthy) | .id' | sort; }
check_becomes "a new agent offers the same devices under the same ids" \
    "$(printf '%s\n' "$(vf_pci pf1 0)" "$(vf_pci pf1 1)" | sort)" healthy_ids
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
must ip netns delete pod0
let_agent_look
check "after DEL it is offered too" kubelet wait rdma/vf 2 90

section the configuration
before=$(registrations net/vf)
echo '{"resourceList": [' >/run/test/etc/config.json
wait_for 60 grep -q "the old one stays in force" /run/test/agent.log || not_ok "a broken file is reported" "$(tail -3 /run/test/agent.log)"
check "with a broken file the old one stays in force" kubelet wait net/vf 2 90
refusals() { grep -c "the old one stays in force" /run/test/agent.log; }
refused=$(refusals)
kill -HUP $agent
check "SIGHUP has it read again" wait_for 60 eval '[ "$(refusals)" -gt $refused ]'
config "$one_pool,$rdma_pool,{\"resourcePrefix\": \"net\", \"resourceName\": \"first\", \"selectors\": {\"rootDevices\": [\"$PF1#0\"]}}"
check "a new pool is offered, empty because the one before it has the device" kubelet wait net/first 0 90
config "$one_pool"
check "a pool that is configured no more is left with what a pod has of it" kubelet wait rdma/vf 1 90
must kubelet remove ns/a >/dev/null
check "and withdrawn when that ends" kubelet wait rdma/vf 0 90
check "the other pool has its devices" kubelet wait net/vf 2 90
t_eq "and kept its stream" "$before" "$(registrations net/vf)"

section idle
# switches: how often the agent's own threads (gRPC names its own otherwise) went to sleep, so far
switches() {
    local task
    for task in /proc/$agent/task/*; do
        ! grep -qx railhead-agent "$task/comm" || sed -n 's/^voluntary_ctxt_switches:\s*//p' "$task/status"
    done | awk '{ sum += $1 } END { print sum }'
}
# ticks: processor time of the whole process so far, gRPC's timers included, in hundredths of a second
ticks() { awk '{ print $14 + $15 }' /proc/$agent/stat; }
# What went before may still be at work: one of four times of ten seconds must be idle.
for round in 1 2 3 4; do
    woken=$(switches) used=$(ticks)
    sleep 10
    now=$(switches) used=$(($(ticks) - used))
    [ "$now" != "$woken" ] || break
done
check "the agent lives" kill -0 $agent
t_eq "in ten idle seconds none of its threads wakes" "$woken" "$now"
# gRPC's timers wake some six times a second; emulated, that costs ten times what it does outside.
check "and the process uses next to no processor time" test $used -lt 100

section the agent ends
quickest=
for round in 1 2 3; do
    start=$(now_us)
    kill $agent
    wait $agent
    code=$?
    took=$((($(now_us) - start) / 1000))
    [ "${quickest:-$took}" -lt $took ] || quickest=$took
    t_eq "SIGTERM ends the agent with code 0" 0 $code
    [ $round != 3 ] || break
    lists=$(kubelet_lists net/vf)
    agent_start /run/test/etc/config.json /run/test/kubelet /run/test/devinfo /run/test/agent.log
    wait_for 60 listed_since net/vf $lists || die "the agent does not list its devices"
done
echo "(within $quickest ms)"
check "within a second, with kubelet's stream open" test $quickest -lt 1000
suite_done
