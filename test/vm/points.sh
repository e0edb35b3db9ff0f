# Lets calls of the CNI program fail, or ends it before them, and says whether the node is what it was. Sourced after fixture.sh and cni.sh; for
# one attachment, net1 of container c0 in the namespace pod0.

program=${RAILHEAD_RELEASE:-$RAILHEAD_BIN}/railhead
tracer=$RAILHEAD_BIN/vm_kill_points

# sample_step STEP: which points are tried: each STEPth, from another one with each commit; all with RAILHEAD_SWEEP=all. Sets step and offset.
sample_step() {
    local number=${RAILHEAD_SWEEP:-}
    step=$1
    [ "$number" != all ] || step=1
    offset=$((10#0${number//[!0-9]/} % step))
}

quick_dump() { "$RAILHEAD_BIN/vm_dump_node" /var/lib/cni/networks/rail; }
is_as_before() { [ "$(quick_dump)" = "$before" ]; }
difference() { diff <(echo "$before") <(quick_dump); }

# traced ACTION... VERB CONF: the program under vm_kill_points; its log and the list of calls are on standard error
traced() {
    local verb=${*: -2:1} conf=${*: -1}
    CNI_COMMAND=$verb CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=$cni_path CNI_ARGS= \
        "$tracer" "${@:1:$#-2}" "$program" <<<"$conf"
}
# plain VERB CONF: without it
plain() {
    CNI_COMMAND=$1 CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=$cni_path CNI_ARGS= "$program" <<<"$2"
}

# list_points WHICH VERB CONF: its calls, one per line: number, kind (write, remove, netlink, wait), call, what it is about
list_points() { { traced list "$1" "$2" "$3" >/dev/null; } 2>&1 | grep -E '^[0-9]+ (write|remove|netlink|wait) [a-z]'; }

# undone CONF: a DEL gives everything back. RDMA devices and their ports follow their netdevs a little later.
undone() { plain DEL "$1" >/dev/null 2>&1 && is_as_before; }
undone_soon() { undone "$1" || wait_for 10 is_as_before; }

# settle CONF: one ADD and DEL, for what is made once (folders), then what stands there as `before`
settle() {
    plain ADD "$1" >/dev/null 2>&1
    plain DEL "$1" >/dev/null 2>&1
    wait_for 60 eval '[[ $(ip -o addr show scope link) != *tentative* ]]' || die "an address stays tentative"
    before=$(quick_dump)
}
