#!/bin/bash
# The netlink adapters on a real kernel: the same contract that the fakes keep in the unit tests.
# vm-options: --timeout 600
. "$(dirname "$0")/../fixture.sh"
rdma_mode exclusive
load_tbrdma
pfs_up
make_vfs pf0 2
must tbrdma_add mlx5_0 pf0v0
must tbrdma_add mlx5_1 pf0v1

RAILHEAD_PF=$PF0 "$RAILHEAD_BIN/vm_ports" --reporter lines >/tmp/ports.txt
code=$?
sed -E 's/^(ok|not ok|skip) - /\1 - ports: /' /tmp/ports.txt
grep -q '^not ok' /tmp/ports.txt || check "vm_ports ran to its end" test $code = 0
suite_done
