# The demo is a test: the same code path, and what it must have shown; in the second boot, of InfiniBand.
# boots: 2
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"

[ "$RAILHEAD_BOOT" = 1 ] || export RAILHEAD_DEMO_IB=1
code=0
output=$(bash "$here/../demo-run.sh" 2>&1) || code=$?
printf '%s\n' "$output"
t_eq "the demo ends well" 0 $code
t_match "it shows what Allocate answered" "PCIDEVICE_RDMA_VF=0000:.*device /dev/infiniband/uverbs" "$output"
t_match "the RDMA devices are in the pods only" "each pod has its RDMA device, and the host has them no more" "$output"
t_match "nothing differs afterwards" "no difference in [0-9]+ lines" "$output"
if [ "$RAILHEAD_BOOT" = 2 ]; then
    t_match "each InfiniBand VF has its GUID" "0200:0000:0000:00a0.*0200:0000:0000:00a1" "$output"
    t_match "of which its PF knows" "PORT_GUID 02:00:00:00:00:00:00:a0.*PORT_GUID 02:00:00:00:00:00:00:a1" "$output"
    suite_done
    exit
fi
t_match "the pools are on both NUMA nodes" "Healthy  NUMA 0.*Healthy  NUMA 1" "$output"
t_match "the distances of GPUs and NICs are shown" "GPU0 .*GPU1 " "$output"
t_match "the pods reached each other" "3 packets transmitted, 3 received" "$output"
t_match "RDMA passed between the pods" "ping data: rdma-ping" "$output"
suite_done
