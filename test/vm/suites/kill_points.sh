#!/bin/bash
# The CNI program is killed before its calls that change something, one after the other, in ADD and in DEL: whatever it had done by then, a
# DEL gives everything back. By default a sample; RAILHEAD_SWEEP=all takes each point, RAILHEAD_SWEEP=N begins the sample at another one.
# boots: 2
# vm-options: --timeout 3600
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../points.sh"

# In the first boot RDMA devices move with their VFs, in the second they are everybody's.
if [ "$RAILHEAD_BOOT" = 1 ]; then rdma_mode exclusive; else rdma_mode shared; fi
sample_step 2
make_netns pod0

# sweep NAME CONF: ADD and DEL of a configuration, killed at each point, or at every $step-th
sweep() {
    local name=$1 conf=$2 verb list points point what tried dirty full start
    settle "$conf"
    full=$(dump_node)
    for verb in ADD DEL; do
        [ $verb = ADD ] || plain ADD "$conf" >/dev/null 2>&1 || not_ok "$name: ADD" "$(plain ADD "$conf")"
        mapfile -t list < <(list_points change $verb "$conf")
        points=${#list[@]}
        check "$name: $verb has points" [ "$points" != 0 ]
        undone_soon "$conf" || not_ok "$name: nothing is left of a whole $verb" "$(difference)"
        tried=0 dirty=0 start=$SECONDS
        for ((point = 1 + offset; point <= points; point += step)); do
            what=${list[point - 1]}
            [ $verb = ADD ] || plain ADD "$conf" >/dev/null 2>&1 || not_ok "$name: ADD before a DEL that is killed at '$what'"
            traced kill change:$point $verb "$conf" >/dev/null 2>&1
            [ $? = 137 ] || { not_ok "$name: $verb has the point '$what'"; continue; }
            tried=$((tried + 1))
            undone_soon "$conf" || {
                dirty=$((dirty + 1))
                not_ok "$name: $verb killed before '$what' is undone" "$(difference)"
            }
        done
        t_eq "$name: $verb killed at $tried of $points points: dirty" 0 $dirty
        echo "($tried points in $((SECONDS - start)) s)"
    done
    check_node_is "$name: the node is what it was" "$full"
}

four_rdma_vfs
vf=$(vf_pci pf0 0)
settings='"vlan":100,"vlanQoS":3,"mac":"52:54:00:aa:bb:01","spoofchk":"off","trust":"on","max_tx_rate":100,"mtu":1400'

section "a VF that is down, with all settings"
ip link set dev pf0v0 down
sweep "all settings" "$(cni_conf rail "$vf" "$settings")"

section "a VF that was up, as it is"
ip link property add dev pf0v0 altname net1
up_with_carrier pf0v0 || die "pf0v0 has no carrier"
sweep "up" "$(cni_conf rail "$vf")"

if [ "$RAILHEAD_BOOT" = 1 ]; then
    section "a VF that a userspace driver holds"
    vf=$(vf_pci pf1 0)
    must modprobe vfio-pci enable_sriov=1
    echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
    echo vfio-pci >$pci_dir/$vf/driver_override
    echo "$vf" >/sys/bus/pci/drivers_probe
    sweep "vfio" "$(cni_conf rail "$vf" '"vlan":100,"mac":"52:54:00:aa:bb:02","trust":"on"')"
fi
suite_done
