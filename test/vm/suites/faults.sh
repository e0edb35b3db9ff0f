#!/bin/bash
# Calls of the CNI program fail, one in each run: those that change files, messages that the kernel refuses, messages that are done although
# the answer is an error, calls that a signal interrupts, and calls that fail from then on, so that the undo fails too. A failed ADD leaves
# everything as it was, or to the next DEL where its undo was let down; ADD never succeeds without the NIC; a DEL that succeeds gives everything
# back, or puts the device into quarantine, or leaves what need not be as it was to reconcile; a DEL after either gives everything back. By
# default a sample; RAILHEAD_SWEEP=all takes each call and error, RAILHEAD_SWEEP=N begins the sample at another one. Of an InfiniBand VF also
# what others do to it meanwhile: names that are taken, netdevs and drivers that go, namespaces that end.
# vm-options: --timeout 5400
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../points.sh"

rdma_mode exclusive
sample_step 12
make_netns pod0

# stand_before VERB: where the verb begins, after whatever ended well
stand_before() {
    plain DEL "$conf" >/dev/null 2>&1
    [ "$1" = ADD ] || plain ADD "$conf" >/dev/null 2>&1
}

# trials VERB: one per line: what is done to which call, and, behind a bar, the call
trials() {
    local number kind call writes=0 messages=0 error
    stand_before "$1"
    while read -r number kind call; do
        case $kind in
            write)
                writes=$((writes + 1))
                for error in ENOSPC EBUSY; do echo "fail change:$number $error|$call"; done
                echo "fail write:$writes+ ENOSPC|$call and all later ones that need room" ;;
            remove) echo "fail change:$number EBUSY|$call" ;;
            netlink)
                messages=$((messages + 1))
                for error in EBUSY EOPNOTSUPP ENODEV; do echo "refuse change:$number $error|$call"; done
                echo "fail change:$number ENOBUFS|$call"
                echo "late change:$number EBUSY|$call"
                echo "refuse netlink:$messages+ EBUSY|$call and all later messages" ;;
        esac
    done < <(list_points change "$1" "$conf")
    stand_before "$1"
    while read -r number kind call; do echo "fail wait:$number EINTR|$call"; done < <(list_points wait "$1" "$conf")
    plain DEL "$conf" >/dev/null 2>&1
}

# has_nic RESULT: what ADD says it has given is there
has_nic() {
    [ -n "$(ip -n pod0 -o link show dev net1 up)" ] && rdma_device_is_in $rdma pod0 &&
        plain CHECK "$(jq --argjson result "$1" '.prevResult = $result' <<<"$conf")"
}
soon() { wait_for 3 is_as_before; }
# is_quarantined: an error that no second try mends (EOPNOTSUPP): the pod may end, the device stays claimed
is_quarantined() { jq -es 'any(.undo.quarantined)' /run/railhead/attachments/*; }
# is_owed: what need not be as it was (MTU, names) waits for the next ADD, or for reconcile
is_owed() { [ -n "$(ls /run/railhead/debts)" ]; }

# renew: the VF made anew, after a fault that left it in a state that DEL does not end
renew() {
    rm -rf /run/railhead/{attachments,devices}
    ip netns delete pod0
    make_netns pod0
    make_anew
    settle "$conf"
}
make_anew() {
    make_vfs pf0 2
    must tbrdma_add mlx5_0 pf0v0
    must tbrdma_add mlx5_1 pf0v1
}

# dirty TEXT: a fault that ended badly
dirty() {
    bad=$((bad + 1))
    not_ok "$name: $1" "$error" "$(difference)"
}

# tried_add FAULT CALL
tried_add() {
    local answer code=0
    answer=$(traced $1 ADD "$conf" 2>/dev/null) || code=$?
    error=$(jq -r '.msg // empty' <<<"$answer" 2>/dev/null)
    case $code in
        0) has_nic "$answer" >/dev/null 2>&1 || dirty "ADD with '$1' at '$2' succeeds without the NIC" ;;
        1)
            [ -n "$error" ] || dirty "ADD with '$1' at '$2' tells its error"
            # what fails from then on can fail the undo: that is the DEL's
            [[ $1 == *+* ]] || soon || dirty "ADD failed with '$1' at '$2' leaves everything as it was" ;;
        120) gone=$((gone + 1)) ;;
        *) dirty "ADD with '$1' at '$2' ends with $code" ;;
    esac
}

# tried_del FAULT CALL
tried_del() {
    local answer code=0
    plain ADD "$conf" >/dev/null 2>&1 || { not_ok "$name: ADD before a DEL with '$1' at '$2'" "$(plain ADD "$conf" 2>&1)"; renew; return; }
    answer=$(traced $1 DEL "$conf" 2>/dev/null) || code=$?
    error=$(jq -r '.msg // empty' <<<"$answer" 2>/dev/null)
    case $code in
        0) is_quarantined >/dev/null 2>&1 || is_owed || soon || dirty "DEL that succeeded with '$1' at '$2' leaves everything as it was" ;;
        1) [ -n "$error" ] || dirty "DEL with '$1' at '$2' tells its error" ;;
        120) gone=$((gone + 1)) ;;
        *) dirty "DEL with '$1' at '$2' ends with $code" ;;
    esac
}

# sweep NAME CONF
sweep() {
    local name=$1 list trial at tried gone bad error start full verb
    conf=$2
    settle "$conf"
    full=$(dump_node)
    for verb in ADD DEL; do
        mapfile -t list < <(trials $verb)
        check "$name: $verb has calls that can fail" [ ${#list[@]} != 0 ]
        tried=0 bad=0 gone=0 start=$SECONDS
        for ((at = offset; at < ${#list[@]}; at += step)); do
            trial=${list[at]} tried=$((tried + 1))
            if [ $verb = ADD ]; then tried_add "${trial%%|*}" "${trial#*|}"; else tried_del "${trial%%|*}" "${trial#*|}"; fi
            ! is_owed || plain reconcile "$conf" >/dev/null 2>&1
            undone_soon "$conf" || { dirty "a DEL after $verb with '${trial%%|*}' at '${trial#*|}' gives everything back"; renew; }
        done
        t_eq "$name: $tried of ${#list[@]} faults in $verb: dirty" 0 $bad
        # the number of polls and of messages of a dump differs a little from run to run
        check "$name: nearly all of them were met" [ $((gone * 10)) -le $tried ]
        echo "($tried faults in $((SECONDS - start)) s)"
    done
    check_node_is "$name: the node is what it was" "$full"
}

four_rdma_vfs
rdma=mlx5_0
ip link set dev pf0v0 down
addresses='"ipam":{"type":"static","addresses":[{"address":"10.1.0.1/24"}],"routes":[{"dst":"10.2.0.0/16","gw":"10.1.0.9"}]}'
settings='"vlan":100,"vlanQoS":3,"mac":"52:54:00:aa:bb:01","spoofchk":"off","trust":"on","max_tx_rate":100,"mtu":1400'
sweep "all settings" "$(cni_conf rail "$(vf_pci pf0 0)" "$settings,$addresses")"

section "an InfiniBand VF that is given a GUID"
make_anew() {
    local name
    for name in $(rdma dev show | sed -n 's/^[0-9]*: \([^:]*\):.*/\1/p'); do must rdma link delete "$name"; done
    ib_vfs pf1 2
}
make_anew
tidy() { name_ethernet pf1; }
vf=$(vf_pci pf1 0) rdma=mlx5_1
device=$vf home_type=32
step=$((step * 6))
sweep "InfiniBand" "$(cni_conf rail "$vf" '"link_state":"enable","args":{"cni":{"guid":"02:00:00:00:00:00:00:11"}}')"

section "what others do to it meanwhile"
pf_netdev=$(pci_netdev "$PF1" 32) netdev=$(pci_netdev "$vf" 32)
attach() { stand DEL "$conf" >/run/test.log 2>&1 || not_ok "ADD" "$(cat /run/test.log)"; }
as_before() { if undone_soon "$conf"; then ok "$1"; else not_ok "$1" "$(difference)"; renew; fi; }

must ip -n pod0 link add net1 type dummy
check_fails "a pod that has a netdev of that name already is refused" "net1" plain ADD "$conf"
must ip -n pod0 link del net1
as_before "which changes nothing"

attach
must ip link add "$netdev" type dummy
must ip netns exec pod0 rdma dev set $rdma name mine
must rdma dev set mlx5_2 name $rdma
check "DEL where others have the names of its netdev and its RDMA device" plain DEL "$conf"
check "they are owed" is_owed
must ip link del "$netdev"
must rdma dev set $rdma name mlx5_2
check "reconcile gives them back" plain reconcile "$conf"
check "nothing is owed then" eval '! is_owed'
as_before "and the node is what it was"

attach
must ip -n pod0 link set dev net1 down
must ip -n pod0 link set dev net1 name mine
must ip -n pod0 link property add dev mine altname mine-too
must ip -n pod0 link add link mine name mine.8001 type ipoib pkey 0x8001
must ip -n pod0 link add link mine name mine.8002 type ipoib pkey 0x8002
make_netns pod1
must ip -n pod0 link set dev mine.8002 netns pod1
check "DEL of one that the pod has renamed, with partitions on it, one of them in another namespace" plain DEL "$conf"
t_eq "that one is gone, too" lo "$(ip -n pod1 -j link show | jq -r '.[].ifname' | xargs)"
must ip netns delete pod1
as_before "and the node is what it was"

must ip link set dev "$pf_netdev" up
attach
must ip link set dev "$pf_netdev" down
check "DEL while its PF's netdev is down" plain DEL "$conf"
as_before "gives everything back"

attach
make_netns pod1
must ip link set dev "$pf_netdev" netns pod1
check "DEL while its PF's netdev is away" plain DEL "$conf"
check "puts it into quarantine" is_quarantined
# The kernel gives the first name that is free in the host: its PF's.
must ip link set dev "$(pci_netdev "$vf" 32)" name between
must ip -n pod1 link set dev "$pf_netdev" netns 1
must ip netns delete pod1
check "when that is back, reconcile mends it" plain reconcile "$conf"
as_before "and the node is what it was"

attach
echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
check "DEL of one whose driver was taken off" plain DEL "$conf"
echo "$vf" >/sys/bus/pci/drivers_probe
wait_for 60 is_home || die "IPoIB makes no netdev on $vf"
as_before "with its driver it is what it was"

# find_point VERB MESSAGE: the first such message of the verb, as `point`; the verb may begin then
find_point() {
    stand_before "$1"
    point=$(list_points change "$1" "$conf" | awk -v call="netlink sendto $2" 'index($0, call) { print $1; exit }')
    [ -n "$point" ] || die "$1 sends no $2"
    stand_before "$1"
}
for verb in ADD DEL; do
    find_point $verb RDMA
    check_fails "$verb says so when its RDMA device cannot be moved" "RDMA device $rdma.*EBUSY" traced refuse "change:$point" EBUSY $verb "$conf"
    [ $verb = DEL ] || check "leaves everything as it was" soon
    as_before "a DEL gives everything back"
done
for one in "ADD RDMA" "ADD NEWLINK" "DEL RDMA" "DEL SETLINK"; do
    read -r verb call <<<"$one"
    find_point $verb $call
    traced kill "change:$point" $verb "$conf" >/dev/null 2>&1
    t_eq "$verb is killed before its $call" 137 $?
    must ip netns delete pod0
    check "DEL when the pod's namespace has ended since" wait_for 30 plain DEL "$conf"
    make_netns pod0
    as_before "gives everything back"
done

driver_is_off() { [ ! -e "$pci_dir/$vf/driver" ]; }
for verb in ADD DEL; do
    stand_before $verb
    (program=(exec "${program[@]}") && plain $verb "$conf" >/dev/null 2>&1) & pid=$! end=$((SECONDS + 30))
    until driver_is_off || [ $SECONDS -gt $end ]; do :; done
    kill -9 $pid
    { wait $pid; } 2>/dev/null
    t_eq "$verb is killed while the VF is without its driver" 137 $?
    # The process that writes to sysfs for it ends when that is done, and until then a DEL is refused.
    check "a DEL succeeds soon" wait_for 30 plain DEL "$conf"
    as_before "and gives everything back"
done
suite_done
