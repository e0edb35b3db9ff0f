#!/bin/bash
# Calls of the CNI program fail, one in each run: those that change files, messages that the kernel refuses, messages that are done although
# the answer is an error, calls that a signal interrupts, and calls that fail from then on, so that the undo fails too. A failed ADD leaves
# everything as it was, or to the next DEL where its undo was let down; ADD never succeeds without the NIC; a DEL that succeeds gives everything
# back, or puts the device into quarantine, or leaves what need not be as it was to reconcile; a DEL after either gives everything back. By
# default a sample; RAILHEAD_SWEEP=all takes each call and error, RAILHEAD_SWEEP=N begins the sample at another one.
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
    [ -n "$(ip -n pod0 -o link show dev net1 up)" ] && rdma_device_is_in mlx5_0 pod0 &&
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
    make_vfs pf0 2
    must tbrdma_add mlx5_0 pf0v0
    must tbrdma_add mlx5_1 pf0v1
    settle "$conf"
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
ip link set dev pf0v0 down
addresses='"ipam":{"type":"static","addresses":[{"address":"10.1.0.1/24"}],"routes":[{"dst":"10.2.0.0/16","gw":"10.1.0.9"}]}'
settings='"vlan":100,"vlanQoS":3,"mac":"52:54:00:aa:bb:01","spoofchk":"off","trust":"on","max_tx_rate":100,"mtu":1400'
sweep "all settings" "$(cni_conf rail "$(vf_pci pf0 0)" "$settings,$addresses")"
suite_done
