# Runs in the VM: bench-attach on 7 VFs of pf0, then one ADD under strace for the counts that
# explain its time. Leaves $RAILHEAD_SHARE/attach.json.
. test/vm/fixture.sh
. test/vm/cni.sh
pairs=${PAIRS:-20}

rdma_mode shared
pfs_up
make_vfs pf0 7
vfs=()
for i in {0..6}; do vfs+=("$(vf_pci pf0 $i)"); done
make_netns bench
# From memory, as a node has it in its page cache: an exec from the VM's root asks the machine around
# the VM over 9p each time.
binary=/run/railhead-bench
must cp "$RAILHEAD_BIN/railhead" $binary
# igbvf's first `up` after boot is unlike all others.
for i in {0..6}; do up_with_carrier pf0v$i; must ip link set dev pf0v$i down; done

figures=$("$RAILHEAD_BIN/bench-attach" $binary "$pairs" "${vfs[@]}" 2>/run/bench.log) ||
    die "bench-attach: $(tail -3 /run/bench.log)"
printf 'attach, %s interleaved pairs; the floor is the bare kernel work: one move of a VF that is down, one link-up\n' "$pairs"
jq -r 'to_entries[] | "  \(.key): \(.value.attach_ms) ms (sd \(.value.attach_sd)), floor \(.value.floor_ms) ms (sd \(.value.floor_sd)), ratio \(.value.ratio), goal 1.5"' <<<"$figures"

strace -f -o /run/strace.txt -e trace=%process,fsync,fdatasync,sendmsg,sendto,flock \
    env CNI_COMMAND=ADD CNI_CONTAINERID=count CNI_NETNS=/run/netns/bench CNI_IFNAME=net1 CNI_PATH=/usr/lib/cni \
    $binary <<<"$(cni_conf bench "${vfs[0]}")" >/dev/null 2>&1 || die "ADD under strace failed"
cni DEL count bench net1 "$(cni_conf bench "${vfs[0]}")" >/dev/null
count() { grep -cE "$1" /run/strace.txt || true; }
# strace knows the messages of sockets in its own namespace; those in the pod's it shows as bytes.
newlinks=$(count 'send(to|msg)\(.*nlmsg_type=(RTM_NEWLINK|0x10 )')
link_ups=$(count 'send(to|msg)\(.*nlmsg_type=(RTM_NEWLINK.*ifi_flags=IFF_UP|0x10 .*"\\x00\\x00\\x00\\x00\\x..\\x..\\x..\\x..\\x01)')
messages=$(count 'send(to|msg)\(.*nlmsg_type=')
fsyncs=$(count 'f(data)?sync\(')
execs=$(($(count 'execve\(') - 2))      # without env and railhead themselves
printf '  one ADD: %s RTM_NEWLINK, %s of them a link-up; %s netlink messages in all, %s fsync, %s exec\n' \
    "$newlinks" "$link_ups" "$messages" "$fsyncs" "$execs"
jq ". + {counts: {newlinks: $newlinks, link_ups: $link_ups, messages: $messages, fsyncs: $fsyncs, execs: $execs}}" \
    <<<"$figures" >"$RAILHEAD_SHARE/attach.json"
