# Runs in the VM: bench-attach on an InfiniBand VF that keeps its GUID, in exclusive RDMA mode. Leaves $RAILHEAD_SHARE/attach-ib.json.
. test/vm/fixture.sh
. test/vm/cni.sh
pairs=${PAIRS:-20}

rdma_mode exclusive
load_tbrdma
pfs_up
ib_vfs pf1 1
make_netns bench
binary=/run/railhead-bench
must cp "$RAILHEAD_BIN/railhead" $binary
figures=$("$RAILHEAD_BIN/bench-attach" --ib $binary "$pairs" "$(vf_pci pf1 0)" 2>/run/bench.log) ||
    die "bench-attach: $(tail -3 /run/bench.log)"
printf 'attach of an InfiniBand VF, %s interleaved pairs; the floor is the bare kernel work: one move of the RDMA device, one of the netdev, one link-up\n' "$pairs"
jq -r '.attach_ib_1 | "  attach_ib_1: \(.attach_ms) ms (sd \(.attach_sd)), floor \(.floor_ms) ms (sd \(.floor_sd)), ratio \(.ratio)"' <<<"$figures"
printf '%s\n' "$figures" >"$RAILHEAD_SHARE/attach-ib.json"
