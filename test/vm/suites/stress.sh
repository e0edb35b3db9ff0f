#!/bin/bash
# Fourteen VFs that fourteen pods want from fourteen threads, in random order, with the CNI calls of a runtime: after each round each VF is where
# its owner is, or in the host as it was, with its RDMA device, addresses, leases and records. RAILHEAD_STRESS_SEED=N: another order.
# boots: 2
# By default a sample; RAILHEAD_SWEEP=all takes 200 rounds.
# alone: what races in it shall race on two processors
# vm-options: --timeout 3600
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"

# In the first boot RDMA devices move with their VFs, in the second they are everybody's.
if [ "$RAILHEAD_BOOT" = 1 ]; then rdma_mode exclusive; else rdma_mode shared; fi
load_tbrdma
pfs_up
make_vfs pf0 7
make_vfs pf1 7
devices=() pods=()
for pf in 0 1; do
    for vf in {0..6}; do
        name=pf${pf}v$vf n=${#devices[@]}
        must tbrdma_add mlx5_$n $name
        # settings and addresses for every second one, each with other values
        extra='{}'
        [ $((n % 2)) = 0 ] || extra=$(jq -nc --argjson n $n '{vlan: (100 + $n), trust: "on", mtu: 1400,
            ipam: {type: "host-local", ranges: [[{subnet: "10.9.0.0/24"}]]}}')
        devices+=("$(jq -nc --arg name $name --arg pci "$(vf_pci pf$pf $vf)" --arg rdma mlx5_$n --arg pf pf$pf --argjson vf $vf --argjson extra "$extra" \
            '{$name, is: {parentdev: $pci}, $rdma, $pf, $vf, conf: ({deviceID: $pci} + $extra)}')")
    done
done
for n in {0..13}; do pods+=(pod$n); done
make_netns "${pods[@]}"
mkdir -p /run/test
printf '%s\n' "${devices[@]}" | jq -s '{devices: ., leases: "/var/lib/cni/networks/rail", netns: $ARGS.positional,
    conf: {cniVersion: "1.0.0", name: "rail", type: "railhead"}}' --args "${pods[@]}" >/run/test/plan.json
before=$(dump_node)
rounds=12
[ "${RAILHEAD_SWEEP:-}" != all ] || rounds=200

section "$rounds rounds"
output=$("$RAILHEAD_BIN/stress" --program "${RAILHEAD_RELEASE:-$RAILHEAD_BIN}/railhead" --cni-path "$cni_path" --plan /run/test/plan.json \
    --workers 14 --rounds $rounds --seed "${RAILHEAD_STRESS_SEED:-$RAILHEAD_BOOT}" 2>&1)
code=$?
echo "${output##*$'\n'}"
if [ $code = 0 ]; then ok "calls beside each other leave no device with two owners, none lost, nothing behind"; else
    not_ok "calls beside each other leave no device with two owners, none lost, nothing behind" "$output"; fi
check_node_is "the node is what it was" "$before"
suite_done
