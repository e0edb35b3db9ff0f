#!/bin/bash
# The netlink adapters on a real kernel (the same contract that the fakes keep in the unit tests),
# and lib/attach over them.
. "$(dirname "$0")/../fixture.sh"

rdma_mode exclusive
load_tbrdma
pfs_up
make_vfs pf0 2
must tbrdma_add mlx5_0 pf0v0
must tbrdma_add mlx5_1 pf0v1
netdevsim_add 7 4

no_carrier() { ! netdev_has_carrier "$1"; }

# run PROGRAM: its result lines, with the suite's name as all others have
run() {
    local code
    RAILHEAD_PF=$PF0 "$RAILHEAD_BIN/$1" --reporter lines >/tmp/$1.txt
    code=$?
    sed -E 's/^(ok|not ok|skip) - /\1 - ports: /' /tmp/$1.txt
    grep -q '^not ok' /tmp/$1.txt || check "$1 ran to its end" test $code = 0
}
section the contract of the ports
run vm_ports
section what a pod leaves on a VF
# The kinds of links that stand on others, all of them here: none is left out for a missing module.
must modprobe -a 8021q macvlan ipvlan
run vm_left_behind
section a PF without carrier
must ip link set dev pf0 vf 0 max_tx_rate 0
must pf_cable pf0 off
must wait_for 60 no_carrier pf0
check_fails "igb takes no rate while its PF has no carrier, not even none" "Invalid argument" \
    ip link set dev pf0 vf 0 max_tx_rate 0
must pf_cable pf0 on
wait_for 60 netdev_has_carrier pf0 || die "pf0 did not get its carrier back"
section attaching over the real adapters
run vm_attach
section drivers and resets
# Last, as the VF's netdev is made anew. Writers to a frozen file system sleep where no signal reaches them.
must modprobe -a loop ext4
must truncate -s 16M /run/frozen.img
must mkfs.ext4 -q /run/frozen.img
must mkdir /run/frozen
must mount -o loop /run/frozen.img /run/frozen
run vm_functions
suite_done
