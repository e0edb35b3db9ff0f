# Runs in the VM: how long after a kernel event kubelet has the devices that follow from it, and how
# many updates a burst of 200 events costs. Leaves $RAILHEAD_SHARE/events.json.
. test/vm/fixture.sh
. test/vm/kubelet.sh
rounds=${ROUNDS:-15}

rdma_mode shared
pfs_up
make_vfs pf0 7
mkdir -p /run/bench
echo '{"resourceList": [{"resourcePrefix": "net", "resourceName": "vf", "selectors": {"drivers": ["igbvf"]}}]}' >/run/bench/config.json
kubelet_start /run/bench/kubelet
agent_start /run/bench/config.json /run/bench/kubelet /run/bench/devinfo /run/bench/agent.log
kubelet_ask wait net/vf 7 30
vf=$(vf_pci pf0 6)
now_us() { printf -v "$1" %s "${EPOCHREALTIME/[.,]/}"; }

# From the event, which is the last thing that the kernel does of an unbind, to kubelet's new list.
samples=()
for ((i = 0; i < rounds; i++)); do
    echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
    now_us start
    kubelet_ask wait net/vf 6 10
    now_us end
    samples+=($(((end - start) / 1000)))
    echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
    kubelet_ask wait net/vf 7 10
    sleep .5
done
median=$(printf '%s\n' "${samples[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p")
printf 'event to update: median %s ms of %s: %s\n' "$median" "$rounds" "${samples[*]}"

# The VF goes and comes back in the middle of a burst, and is gone at its end.
lists() { kubelet_ask lists net/vf; jq .lists <<<"$REPLY"; }
before=$(lists)
for ((i = 0; i < 200; i++)); do
    case $i in
        50 | 150) echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind ;;
        100) echo "$vf" >/sys/bus/pci/drivers/igbvf/bind ;;
        *) echo change >$pci_dir/$PF1/uevent ;;
    esac
done
kubelet_ask wait net/vf 6 10
sleep 2
updates=$(($(lists) - before))
kubelet_ask wait net/vf 6 1
[[ $REPLY == '{"healthy":6}' ]] || die "the last update of the burst is wrong: $REPLY"
printf 'a burst of 200 events: %s updates\n' "$updates"
[ -z "${RAILHEAD_SHARE:-}" ] ||
    printf '{"event_to_update_ms": %s, "burst_updates": %s}\n' "$median" "$updates" >"$RAILHEAD_SHARE/events.json"
kill $agent
wait $agent
