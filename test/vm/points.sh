# Lets calls of a program fail, or ends it before them, and says whether the node is what it was. Sourced after fixture.sh and cni.sh; for the
# attachment net1 of container c0 in the namespace pod0.

# The program under test, with its arguments: the CNI program has none.
program=(${RAILHEAD_RELEASE:-$RAILHEAD_BIN}/railhead)
tracer=$RAILHEAD_BIN/vm_kill_points
# Of a chain, the configuration of the plugin before the one under test; empty: there is none.
ahead=
# CNI_ARGS
cni_args=
# The device, for the verb `release`.
device=

# sample_step STEP: which points are tried: each STEPth, from another one with each commit; all with RAILHEAD_SWEEP=all. Sets step and offset.
sample_step() {
    local number=${RAILHEAD_SWEEP:-}
    step=$1
    [ "$number" != all ] || step=1
    offset=$((10#0${number//[!0-9]/} % step))
}

# Folders whose files are compared, beside the records of devices
kept=(/var/lib/cni/networks/rail)
quick_dump() { "$RAILHEAD_BIN/vm_dump_node" "${kept[@]}"; }
# tidy: what is made as it was before by hand, as it is the testbed's own
tidy() { :; }
is_as_before() {
    tidy
    [ "$(quick_dump)" = "$before" ]
}
difference() { diff <(echo "$before") <(quick_dump); }

# call_of VERB: its command line, as `call`. A verb is one of CNI's, or a command of whoever looks after the node: reconcile, release.
call_of() {
    call=("${program[@]}")
    case $1 in
        reconcile) call+=(reconcile) ;;
        release) call+=(release "$device" --force) ;;
    esac
}
# traced ACTION... VERB CONF: the program under vm_kill_points; its log and the list of calls are on standard error
traced() {
    local verb=${*: -2:1} conf=${*: -1} call
    call_of "$verb"
    CNI_COMMAND=$verb CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=$cni_path CNI_ARGS=$cni_args \
        "$tracer" "${@:1:$#-2}" "${call[@]}" <<<"$conf"
}
# plain VERB CONF: without it
plain() {
    local call
    call_of "$1"
    CNI_COMMAND=$1 CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=$cni_path CNI_ARGS=$cni_args "${call[@]}" <<<"$2"
}

# list_points WHICH VERB CONF: its calls, one per line: number, kind (write, remove, netlink, wait), call, what it is about
list_points() { { traced list "$1" "$2" "$3" >/dev/null; } 2>&1 | grep -E '^[0-9]+ (write|remove|netlink|wait) [a-z]'; }

home_type=1                                              # of its netdev, as in if_arp.h
is_home() { pci_netdev "$device" $home_type; }
# stand VERB CONF: where the verb begins
stand() {
    [ -z "$ahead" ] || plain ADD "$ahead" || return
    [ "$1" = ADD ] || plain ADD "$2" || return
    [ "$1" = reconcile ] || return 0
    # The pod is gone, and nobody called DEL.
    ip netns delete pod0 && wait_for 10 is_home
}

# undone CONF [VERB]: what comes after the call gives everything back, a DEL of all plugins of the chain, or the reconciler's next turn. RDMA
# devices and their ports follow their netdevs a little later.
undone() {
    if [ "${2:-}" = reconcile ]; then
        plain reconcile "$1"
        [ -e /run/netns/pod0 ] || make_netns pod0
    else
        plain DEL "$1" || return
        [ -z "$ahead" ] || plain DEL "$ahead" || return
    fi >/dev/null 2>&1
    is_as_before
}
undone_soon() { undone "$@" || wait_for 10 is_as_before; }

# settle CONF: one ADD and DEL, for what is made once (folders), then what stands there as `before`
settle() {
    stand DEL "$1" >/dev/null 2>&1
    plain DEL "$1" >/dev/null 2>&1
    [ -z "$ahead" ] || plain DEL "$ahead" >/dev/null 2>&1
    wait_for 60 eval '[[ $(ip -o addr show scope link) != *tentative* ]]' || die "an address stays tentative"
    tidy
    before=$(quick_dump)
}
