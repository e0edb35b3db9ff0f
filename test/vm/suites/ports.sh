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
section attaching over the real adapters
run vm_attach
suite_done
