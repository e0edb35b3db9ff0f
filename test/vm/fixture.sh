# For the suites that run in the guest: sourced first. Puts the node into a known state, prints results, says what stands there.
#
# A suite is a bash script in suites/; one boot serves one suite. How it says what came out: results.sh, which this file brings in.
# Every wait is bounded; the kernel's and the emulation's whims are dealt with here, so that no suite has to know them.

[ "${RAILHEAD_VM:-}" = 1 ] || { echo "this runs in the testbed only: test/vm/vm run -- bash $0 (or test/vm/run-suites)" >&2; exit 2; }
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/results.sh"
. "$(dirname "${BASH_SOURCE[0]}")/node.sh"

# The machine (drawn in lib/boot.sh)
PF0=0000:23:00.0 PF1=0000:41:00.0
pf_of_number=($PF0 $PF1 0000:{26,27,28,43,44,45}:00.0)
pfs=$(seq -f pf%.0f 0 $((RAILHEAD_PFS - 1)))             # those that this boot has
GPU0=0000:24:00.0 GPU1=0000:25:00.0 GPU2=0000:42:00.0

# section TEXT: a heading with the time since boot
section() {
    local up
    read -r up _ </proc/uptime
    printf -- '-- %s (%s s)\n' "$*" "${up%.*}"
}

# ---- several boots -------------------------------------------------------------------------------------------------------------

# persist PATH...: these folders stay over the boots of a suite that has several, and over crashes, as those of a disk do. They lie on
# one ext4 image in the share. The 9p share itself is no disk: it refuses shared maps, flock and fcntl on one file, and xattrs.
persist() {
    local image=${RAILHEAD_SHARE:-}/disk.img path
    [ -n "${RAILHEAD_SHARE:-}" ] || die "persist needs a folder of this machine: run-suites gives one to a suite that says '# boots: 2'"
    if ! mountpoint -q /persist; then
        must modprobe -a loop ext4
        if [ ! -e "$image" ]; then
            must truncate -s 1G "$image"
            must mkfs.ext4 -q "$image"
        fi
        mkdir -p /persist
        must mount -o loop "$image" /persist
    fi
    for path; do
        mkdir -p "/persist$path" "$path"
        must mount --bind "/persist$path" "$path"
    done
}

# suite_crash: instead of suite_done, for a boot that ends as at a power cut: what was not synced is lost
suite_crash() {
    local code=0
    echo suite-done
    [ $failures = 0 ] || code=1
    echo $code >/run/vm/exit-code
    stty -F /dev/hvc0 raw -echo                          # returns when the console has passed everything on
    echo b >/proc/sysrq-trigger
    sleep 60
    die "the machine did not go down"
}

# ---- PCI functions and netdevs -------------------------------------------------------------------------------------------------

pf_pci() { [[ $1 = pf[0-7] ]] && echo "${pf_of_number[${1#pf}]}" || die "no PF is named '$1'"; }

# pci_netdev PCI [TYPE]: the netdev of a function in the host's namespace; fails when there is none.
# TYPE as in the kernel's if_arp.h: 1 Ethernet (default), 32 InfiniBand, for a function that carries an IPoIB netdev too
pci_netdev() {
    local path type
    for path in "$pci_dir/$1"/net/*; do
        [ -e "$path" ] && read -r type <"$path/type" && [ "$type" = "${2:-1}" ] && { printf '%s\n' "${path##*/}"; return; }
    done
    return 1
}

# vf_pci PF INDEX
vf_pci() { basename "$(readlink "$pci_dir/$(pf_pci "$1")/virtfn$2")"; }

# "state UP" comes a moment after the carrier, and with it the queueing discipline: before, packets are dropped and a dump differs
netdev_has_carrier() { in_netns "${2:-}" ip -o link show dev "$1" 2>/dev/null | grep -q 'LOWER_UP.* state UP '; }

# pfs_up: the PFs' netdevs, named pf0 (node 0), pf1 (node 1) and so on whatever order the kernel found them in, up, with carrier
pfs_up() {
    local pf pci now
    must modprobe -a igb igbvf
    for pf in $pfs; do
        pci=$(pf_pci $pf)
        wait_for 60 pci_netdev "$pci" || die "no netdev on $pci"
        now=$(pci_netdev "$pci")
        if [ "$now" != $pf ]; then
            must ip link set dev "$now" down
            must ip link set dev "$now" name $pf
        fi
        must ip link set dev $pf up
    done
    for pf in $pfs; do wait_for 60 netdev_has_carrier $pf || die "$pf got no carrier within a minute"; done
}

# probe_vf PCI MAC: the driver igbvf for a VF whose PF has set that MAC. When the PF does not answer the driver's first question in time,
# the driver makes a MAC up and never gets carrier: then it is asked again.
probe_vf() {
    local vf=$1 mac=$2 end=$((SECONDS + 60)) now
    echo "$vf" >/sys/bus/pci/drivers_probe
    until wait_for 60 pci_netdev "$vf" && read -r now <"$pci_dir/$vf/net/$(pci_netdev "$vf")/address" && [ "$now" = "$mac" ]; do
        [ $SECONDS -lt $end ] || return 1
        echo "($vf came with the MAC ${now:-none}, not $mac, which its PF has set: its driver is asked again)"
        echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
        sleep .5
        echo "$vf" >/sys/bus/pci/drivers_probe
    done
}

# make_vfs PF COUNT: COUNT VFs in place of those there are. Their netdevs are named PFvINDEX (pf0v0), down, with the driver igbvf.
# Each has a MAC that its PF has set before the driver came: of a VF without one, igb tells zeros or the VF's own, as the last reset
# left it, and no dump of the node would be like the next.
make_vfs() {
    local pf=$1 count=$2 path i vf mac
    path=$pci_dir/$(pf_pci "$pf")
    echo 0 >"$path/sriov_numvfs" || die "cannot take the VFs of $pf away"     # from N to another number of VFs the kernel says EBUSY
    if [ "$count" != 0 ]; then
        echo 0 >"$path/sriov_drivers_autoprobe"
        echo "$count" >"$path/sriov_numvfs" || die "cannot make $count VFs on $pf"
        echo 1 >"$path/sriov_drivers_autoprobe"
        for ((i = 0; i < count; i++)); do
            vf=$(vf_pci "$pf" $i) mac=$(printf '52:54:00:00:0%d:%02x' "${pf#pf}" $((0x20 + i)))
            must ip link set dev "$pf" vf $i mac "$mac"
            probe_vf "$vf" "$mac" || die "VF $i of $pf ($vf) got no netdev with the MAC $mac within a minute"
            must ip link set dev "$(pci_netdev "$vf")" name "${pf}v$i"
        done
    fi
    # A new number of VFs resets the PF's port: its carrier is away for about a second, and a VF brought up meanwhile has none.
    sleep .2
    wait_for 60 netdev_has_carrier "$pf" || die "$pf did not get its carrier back within a minute after $count VFs were made"
}

# up_with_carrier NETDEV [NETNS]: igbvf's first `up` after boot leaves one VF in six without carrier for good; down and up cures it
up_with_carrier() {
    local netdev=$1 netns=${2:-} try
    for try in 1 2 3 4 5; do
        in_netns "$netns" ip link set dev "$netdev" up || return
        wait_for $((3 * try + 2)) netdev_has_carrier "$netdev" "$netns" && return
        echo "($netdev has no carrier: down and up again)"
        in_netns "$netns" ip link set dev "$netdev" down
    done
    in_netns "$netns" ip link set dev "$netdev" up
    return 1
}

# make_netns NAME...
make_netns() {
    local name
    for name; do
        must ip netns add "$name"
        must ip -n "$name" link set dev lo up
    done
}

# start_udev: devices are made by the kernel without it; for tests of what waits until udev has settled
start_udev() {
    must /lib/systemd/systemd-udevd --daemon
    must udevadm trigger --action=add --subsystem-match={net,pci,infiniband,infiniband_verbs,infiniband_mad}
    must udevadm settle --timeout=120
}

# ---- RDMA ----------------------------------------------------------------------------------------------------------------------

rdma_mode_is() { rdma system show | grep -q "netns $1 "; }

# rdma_mode shared|exclusive: loads the RDMA subsystem. Before the first namespace is made: with one there, the kernel says EBUSY, and
# goes on to for a while after it was deleted.
rdma_mode() {
    local value
    case $1 in shared) value=1 ;; exclusive) value=0 ;; *) die "rdma_mode: shared or exclusive, not '$1'" ;; esac
    must modprobe ib_core netns_mode=$value
    must modprobe -a ib_uverbs ib_umad rdma_ucm
    rdma_mode_is "$1" || wait_for 60 rdma system set netns "$1" || die "cannot set RDMA to $1 mode: are there namespaces left ($(ip netns list))?"
}

# load_tbrdma [openable]: as it comes, no user-space driver knows its devices, so that siw can stand beside it;
# `openable` lets libibverbs (ibv_devices, ibv_devinfo) take them for siw's: then the real siw must not be loaded
load_tbrdma() { if [ "${1:-}" = openable ]; then must modprobe tbrdma driver_id=18; else must modprobe tbrdma; fi; }

# tbrdma_add NAME NETDEV [roce|ib]: an RDMA device that hangs off NETDEV's PCI function (NETDEV in the host's namespace)
tbrdma_add() {
    rdma link add "$1" type "tb${3:-roce}" netdev "$2" || return
    # its first GID is the last thing to come, from a worker of the kernel
    wait_for 60 grep -q '^fe80:' "/sys/class/infiniband/$1/ports/1/gids/0"
}

# tbrdma_hang NAME: until tbrdma_release, who asks for the state of its port (sysfs, RDMA netlink, verbs) waits in D state, which no
# signal ends. One device at a time.
tbrdma_hang() { echo "$1" >/sys/module/tbrdma/parameters/hung; }
tbrdma_release() { echo >/sys/module/tbrdma/parameters/hung; }

# four_rdma_vfs: two VFs on each PF, with the RDMA devices mlx5_0 to mlx5_3; after rdma_mode
four_rdma_vfs() {
    local vf n=0
    load_tbrdma
    pfs_up
    make_vfs pf0 2
    make_vfs pf1 2
    for vf in pf0v0 pf0v1 pf1v0 pf1v1; do
        must tbrdma_add mlx5_$n $vf
        n=$((n + 1))
    done
}

# ib_vfs PF COUNT: InfiniBand VFs with IPoIB, and the PF with it: RDMA devices mlx5_9 of the PF, mlx5_1 and so on. They come again with
# the VF's driver. What the PF keeps of their GUIDs are their own, so that a dump after they were given back is like the one before.
ib_vfs() {
    local pf=$1 i vf guid
    make_vfs "$pf" "$2"
    must modprobe ib_ipoib
    must tbrdma_add mlx5_9 "$pf" ib
    wait_for 60 pci_netdev "$(pf_pci "$pf")" 32 || die "IPoIB makes no netdev on $pf"
    for ((i = 0; i < $2; i++)); do
        vf=$(vf_pci "$pf" $i)
        must tbrdma_add mlx5_$((i + 1)) "${pf}v$i" ib
        wait_for 60 pci_netdev "$vf" 32 || die "IPoIB makes no netdev on ${pf}v$i"
        guid=$(sed -E 's/(..)(..):?/\1:\2:/g; s/:$//' /sys/class/infiniband/mlx5_$((i + 1))/node_guid)
        must ip link set dev "$(pci_netdev "$(pf_pci "$pf")" 32)" vf $i node_guid "$guid"
        must ip link set dev "$(pci_netdev "$(pf_pci "$pf")" 32)" vf $i port_guid "$guid"
    done
    echo 1 >/sys/module/tbrdma/parameters/comes_back
}

# name_ethernet PF: no other InfiniBand VF has an Ethernet netdev beside IPoIB's, which comes anew with its driver
name_ethernet() {
    local i vf now
    for ((i = 0; ; i++)); do
        [ -e "$pci_dir/$(pf_pci "$1")/virtfn$i" ] || return 0
        vf=$(vf_pci "$1" $i) now=$(pci_netdev "$vf") || continue
        [ "$now" = "${1}v$i" ] || ip link set dev "$now" name "${1}v$i"
    done
}

# siw_add NAME NETNS NETDEV: an RDMA device with a data path on NETDEV of NETNS. The kernel makes it in the host's namespace; in the
# exclusive mode it is then moved. It does not survive a move of its netdev: siw_del before that.
siw_add() {
    ip netns exec "$2" rdma link add "$1" type siw netdev "$3" || return
    ! rdma_mode_is exclusive || rdma dev set "$1" netns "$2"
}

# siw_del NAME NETNS
siw_del() { in_netns "$2" rdma link delete "$1"; }

# rdma_to_host NAME NETNS: gives a moved device back. `rdma dev set` wants the target by a name, which the host's namespace lacks.
rdma_to_host() {
    local code=0
    ip netns attach fixture-host 1 || return
    ip netns exec "$2" rdma dev set "$1" netns fixture-host || code=$?
    ip netns delete fixture-host
    return $code
}

# rdma_device_is_in NAME [NETNS]
rdma_device_is_in() { in_netns "${2:-}" rdma dev show "$1"; }

# ---- netdevsim -----------------------------------------------------------------------------------------------------------------

# netdevsim_add ID VFS: a netdev nsimID with VFs that takes every VF attribute. It has neither PCI function nor VF netdevs.
netdevsim_add() {
    local device=/sys/bus/netdevsim/devices/netdevsim$1 path
    must modprobe netdevsim
    echo "$1 1" >/sys/bus/netdevsim/new_device || die "cannot make netdevsim$1"
    wait_for 60 test -e "$device/sriov_numvfs" || die "netdevsim$1 did not appear"
    echo "$2" >"$device/sriov_numvfs" || die "cannot make $2 VFs on netdevsim$1"
    for path in "$device"/net/*; do must ip link set dev "${path##*/}" name "nsim$1"; done
}

netdevsim_del() { echo "$1" >/sys/bus/netdevsim/del_device; }

# ---- vDPA ----------------------------------------------------------------------------------------------------------------------

# load_vdpa_sim PCI: from then on the function offers vDPA devices, by `vdpa dev add name NAME mgmtdev pci/PCI`; `vdpa dev del NAME`
# before its driver is unbound or it goes, for unlike a NIC's they do not go with it
load_vdpa_sim() { must modprobe vdpa_sim_net parent="$1"; }

# ---- QEMU's own monitor --------------------------------------------------------------------------------------------------------

# qmp COMMAND [JSON-ARGUMENTS]: prints the answer; fails on an error. device_add, device_del, set_link, ...
qmp() {
    local port path line fd
    for path in /sys/class/virtio-ports/*; do [ "$(cat "$path/name" 2>/dev/null)" = qmp ] && port=/dev/${path##*/}; done
    [ -n "${port:-}" ] || { echo "no virtio port named qmp"; return 1; }
    exec {fd}<>"$port" || return
    if [ ! -e /run/qmp-greeted ]; then                   # once per boot: the monitor takes commands only after this one
        printf '{"execute":"qmp_capabilities"}\n' >&$fd
        while read -r -t 60 -u $fd line; do [[ $line == *'"return"'* ]] && { : >/run/qmp-greeted; break; }; done
    fi
    printf '{"execute":"%s","arguments":%s}\n' "$1" "${2:-{\}}" >&$fd
    while read -r -t 60 -u $fd line; do                  # events may come before the answer
        case $line in
            *'"return"'*) exec {fd}>&-; printf '%s\n' "$line"; return 0 ;;
            *'"error"'*) exec {fd}>&-; printf '%s\n' "$line"; return 1 ;;
        esac
    done
    exec {fd}>&-
    echo "QEMU's monitor did not answer '$1' within a minute"
    return 1
}

# pf_cable PF on|off: pulls the PF's cable. igb's VFs keep their carrier then, as those of a real NIC's inner switch do.
pf_cable() {
    local up=false
    [ "$2" = off ] || up=true
    qmp set_link "{\"name\":\"nic${1#pf}\",\"up\":$up}"
}

# ---- what stands there ---------------------------------------------------------------------------------------------------------

# check_becomes NAME TEXT CMD...: ok when CMD prints TEXT, within a minute
check_becomes() {
    local name=$1 text=$2 now end=$((SECONDS + 60))
    shift 2
    while now=$("$@"); [ "$now" != "$text" ] && [ $SECONDS -lt $end ]; do sleep 1; done
    t_eq "$name" "$text" "$now"
}

# check_node_is NAME DUMP: ok if dump_node says what it said then. RDMA port states and GIDs follow their netdevs a little later, by
# a worker of the kernel.
check_node_is() { check_becomes "$1" "$2" dump_node; }

# clean_node: namespaces, RDMA devices, netdevsims and VFs gone; for a suite that has several parts
clean_node() {
    local name path
    for name in $(ip netns list | awk '{ print $1 }'); do
        # a process left in it would keep the namespace and all that is in it
        ip netns pids "$name" | xargs -r kill -9
        ip netns delete "$name"
    done
    for name in $(rdma dev show 2>/dev/null | sed -n 's/^[0-9]*: \([^:]*\):.*/\1/p'); do rdma link delete "$name"; done
    for path in /sys/bus/netdevsim/devices/*; do [ ! -e "$path" ] || netdevsim_del "${path##*/netdevsim}"; done
    for path in $PF0 $PF1; do [ ! -e "$pci_dir/$path" ] || echo 0 >"$pci_dir/$path/sriov_numvfs"; done
}
