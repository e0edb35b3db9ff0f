# Looking at a node, in the VM and on a real machine: waits, and what stands there as text. Sourced; uses pci_dir.

pci_dir=/sys/bus/pci/devices

# ---- waiting -------------------------------------------------------------------------------------------------------------------

# wait_for SECONDS CMD...: until CMD succeeds; fails when it did not
wait_for() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/[.,]/}" -lt $end ] || return 1
        sleep .1
    done
}

# in_netns NAME CMD...: NAME '' is the host's
in_netns() {
    local name=$1
    shift
    if [ -n "$name" ]; then ip netns exec "$name" "$@"; else "$@"; fi
}

# ---- what stands there ---------------------------------------------------------------------------------------------------------

# The differences that giving a device back cannot avoid, and that dump_node therefore leaves out. One per line.
node_exclusions() {
    cat <<'END'
interface indexes: the kernel hands out a new one at each move between namespaces
counters and statistics
the permanent MAC of an igbvf VF: it shows the last MAC that the driver accepted, not the factory's
the queueing discipline: the kernel attaches it at the first up and keeps it
what a pod itself set on its netdev besides name, address, MTU, alias, flags and programs: offloads, rings, coalescing, queue length
IP addresses and routes that the host had on a VF's netdev: the kernel takes them away when it moves (the demo's VFs have none)
minor numbers and indexes of RDMA devices and of their character devices (uverbsN, umadN, issmN): handed out anew at each move
END
}

netdev_sysctls="ipv4/conf/forwarding ipv4/conf/rp_filter ipv4/conf/arp_ignore ipv4/conf/arp_announce
    ipv6/conf/forwarding ipv6/conf/accept_ra ipv6/conf/addr_gen_mode ipv6/conf/disable_ipv6"

# tcx_programs NETDEV: how many there are, each way; nothing where the kernel has no tcx. iproute2 does not tell, and the bpftool of
# Debian 12 does not either: bpf(BPF_PROG_QUERY) with BPF_TCX_INGRESS 46 and BPF_TCX_EGRESS 47 (linux/bpf.h of Linux 6.6).
tcx_programs() {
    [ "$(uname -m)" = x86_64 ] || return 0               # the number of the system call
    perl -e 'my ($index, @counts) = @ARGV;
             for my $hook (46, 47) {
                 my $ids = "\0" x 256;
                 my $query = pack("LLLLQLLQQQQ", $index, $hook, 0, 0, unpack("Q", pack("P", $ids)), 64, 0, 0, 0, 0, 0);
                 exit if syscall(321, 16, $query, length $query) != 0;
                 push @counts, (unpack("LLLLQL", $query))[5];
             }
             print "tcx programs: ingress $counts[0] egress $counts[1]\n"' "$(ip -o link show dev "$1" | cut -d: -f1)"
}

# dump_stacked: what stands, in a namespace that has a name, on a link of another one; a veth's peer is none
dump_stacked() {
    local name
    for name in $(ip netns list | awk '{ print $1 }' | sort); do
        ip -n "$name" -d -o link show | grep link-netnsid | grep -vE ' (veth|netkit) ' |
            sed -nE "s/^[0-9]+: ([^@:]+).*/stands in $name on a link of another namespace: \1/p"
    done
}

# dump_netdev NETDEV: link with VFs, alias, flags and XDP, what stands on it, addresses, driver, sysctls; of the host's namespace
dump_netdev() {
    local key file value
    # VF lines carry "link-state", "trust", ... as they are; -d adds altnames, limits and parent. IPoIB's address begins with flags and QPN,
    # which are others whenever it is made anew.
    ip -d link show dev "$1" | sed -E 's/^[0-9]+: //; s#^( *link/infiniband )(..:){4}#\1#; s/ qdisc [^ ]+//; s/ qlen [0-9]+//; s/ permaddr [0-9a-f:]+//'
    for file in "/sys/class/net/$1"/upper_*; do
        [ ! -e "$file" ] || printf 'below %s\n' "${file##*/upper_}"
    done
    tcx_programs "$1"
    ip -o addr show dev "$1" | sed -E 's/^[0-9]+: //; s/ (valid|preferred)_lft [^ ]+//g'
    ethtool -i "$1" 2>/dev/null | grep -E '^(driver|bus-info):'
    ethtool -k "$1" 2>/dev/null | grep -E ': on( |$)' | tr -d '\n'
    echo
    for key in $netdev_sysctls; do
        file=/proc/sys/net/${key%/*}/$1/${key##*/}
        [ ! -e "$file" ] || { read -r value <"$file" && printf '%s=%s\n' "${key//\//.}" "$value"; }
    done
}

# dump_rdma NAME: of the host's namespace
dump_rdma() {
    local file value
    rdma -d dev show "$1" | sed -E 's/^[0-9]+: //'
    rdma -d link show | sed -nE "s/ netdev_index [0-9]+//; s/^link ($1\/)/\\1/p"
    for file in /sys/class/infiniband/"$1"/{node_type,node_guid,sys_image_guid,ports/*/link_layer,ports/*/state,ports/*/gids/0,ports/*/pkeys/0}; do
        [ ! -e "$file" ] || { read -r value <"$file" && printf '%s=%s\n' "${file#/sys/class/infiniband/}" "$value"; }
    done
}

# dump_node: PFs, VFs, RDMA devices, netdevsims and namespaces as text, made with iproute2, rdma, ethtool and sysfs only.
# Two dumps compare equal if and only if everything but node_exclusions is the same.
dump_node() {
    local path pci netdev name
    rdma system show 2>/dev/null
    echo "namespaces: $(ip netns list | awk '{ print $1 }' | sort | tr '\n' ' ')"
    dump_stacked
    for path in "$pci_dir"/*; do
        pci=${path##*/}
        [[ $(cat "$path/class") == 0x02* ]] && [ -e "$path/physfn" -o -e "$path/sriov_totalvfs" ] || continue
        printf '\n== %s driver %s override %s numa %s vfs %s\n' "$pci" "$(basename "$(readlink "$path/driver" || echo none)")" \
            "$(cat "$path/driver_override")" "$(cat "$path/numa_node")" "$(cat "$path/sriov_numvfs" 2>/dev/null || echo -)"
        for name in "$path"/net/*; do
            [ -e "$name" ] || continue
            netdev=${name##*/}
            printf -- '-- netdev %s\n' "$netdev"
            dump_netdev "$netdev"
        done
        for name in "$path"/infiniband/*; do
            [ -e "$name" ] || continue
            printf -- '-- rdma %s\n' "${name##*/}"
            dump_rdma "${name##*/}"
        done
    done
    for path in /sys/bus/netdevsim/devices/*/net/*; do
        [ -e "$path" ] || continue
        printf '\n== netdevsim %s\n' "${path##*/}"
        dump_netdev "${path##*/}"
    done
}
