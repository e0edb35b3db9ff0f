#!/bin/bash
# The CNI program is killed before its calls that change something, one after the other, in ADD and in DEL: whatever it had done by then, a
# DEL gives everything back. By default a sample; RAILHEAD_SWEEP=all takes each point, RAILHEAD_SWEEP=N begins the sample at another one.
# boots: 2
# vm-options: --timeout 3600
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"

# In the first boot RDMA devices move with their VFs, in the second they are everybody's.
if [ "$RAILHEAD_BOOT" = 1 ]; then rdma_mode exclusive; else rdma_mode shared; fi
step=4
[ "${RAILHEAD_SWEEP:-}" != all ] || step=1
number=${RAILHEAD_SWEEP:-}
offset=$((10#0${number//[!0-9]/} % step))
program=${RAILHEAD_RELEASE:-$RAILHEAD_BIN}/railhead
make_netns pod0

# quick_dump: what ADD and DEL change, by few processes: links with their VFs, addresses, RDMA devices, drivers, sysctls, records
quick_dump() {
    local path key value
    ip -d -o link show | sed -E 's/^[0-9]+: //; s/ qdisc [^ ]+//; s/ qlen [0-9]+//; s/ permaddr [0-9a-f:]+//'
    ip -o addr show scope global
    rdma -d dev | sed -E 's/^[0-9]+: //'
    rdma -d link | sed -E 's/ netdev_index [0-9]+//'
    for path in "$pci_dir"/*/physfn; do
        path=${path%/physfn}
        echo "$path" "$path"/driver "$(readlink "$path/driver")" "$path"/net/* "$path"/infiniband/*
        for path in "$path"/net/*; do
            for key in $netdev_sysctls; do
                { read -r value <"/proc/sys/net/${key%/*}/${path##*/}/${key##*/}"; } 2>/dev/null && echo "${path##*/} $key $value"
            done
        done
    done
    echo /run/railhead/{attachments,devices}/*
    ip -n pod0 -o link show
}
is_as_before() { [ "$(quick_dump)" = "$before" ]; }

# killed POINT VERB CONF: the program, with a SIGKILL before that point of it
killed() {
    CNI_COMMAND=$2 CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=$cni_path CNI_ARGS= \
        "$RAILHEAD_BIN/vm_kill_points" "$1" "$program" <<<"$3"
}
undone() { killed 0 DEL "$1" >/dev/null 2>&1 && is_as_before; }

# sweep NAME CONF: ADD and DEL of a configuration, killed at each point, or at every $step-th
sweep() {
    local name=$1 conf=$2 verb points point tried dirty full
    # the program's folders are made once
    killed 0 ADD "$conf" >/dev/null 2>&1
    killed 0 DEL "$conf" >/dev/null 2>&1
    wait_for 60 eval '[[ $(ip -o addr show scope link) != *tentative* ]]' || die "an address stays tentative"
    before=$(quick_dump)
    full=$(dump_node)
    for verb in ADD DEL; do
        [ $verb = ADD ] || killed 0 ADD "$conf" >/dev/null 2>&1 || not_ok "$name: ADD" "$(killed 0 ADD "$conf")"
        # beside the program's log
        points=$({ killed list $verb "$conf" >/dev/null; } 2>&1 | grep -E '^[0-9]+ [a-z]' | tee "/run/points-$verb" | wc -l)
        undone "$conf" || { sleep 2; undone "$conf"; } || not_ok "$name: nothing is left of a whole $verb" "$(diff <(echo "$before") <(quick_dump))"
        tried=0 dirty=0
        for ((point = 1 + offset; point <= points; point += step)); do
            [ $verb = ADD ] || killed 0 ADD "$conf" >/dev/null 2>&1 || not_ok "$name: ADD before a DEL that is killed at $point"
            killed $point $verb "$conf" >/dev/null 2>&1
            [ $? = 137 ] || { not_ok "$name: $verb has a point $point" "$(sed -n ${point}p "/run/points-$verb")"; continue; }
            tried=$((tried + 1))
            # RDMA port states follow their netdevs a little later
            undone "$conf" || wait_for 10 is_as_before || {
                dirty=$((dirty + 1))
                not_ok "$name: $verb killed before '$(sed -n ${point}p "/run/points-$verb")' is undone" "$(diff <(echo "$before") <(quick_dump))"
            }
        done
        t_eq "$name: $verb killed at $tried of $points points: dirty" 0 $dirty
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
