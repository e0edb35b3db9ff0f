# What the agent tells of RDMA devices and their pods, in both modes of the RDMA subsystem, and with which capabilities.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../kubelet.sh"
. "$here/../../support/http.sh"

rdma_mode shared
load_tbrdma
pfs_up
make_vfs pf0 2
must tbrdma_add mlx5_0 pf0v0
must tbrdma_add ib_1 pf0v1 ib
vfs=("$(vf_pci pf0 0)" "$(vf_pci pf0 1)")
mkdir -p /run/test
cat >/run/test/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                   "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
port=9478

# agent_with CAPABILITIES: as root in a container that has these only ("sys_admin"; "": none)
agent_with() {
    [ -z "${agent:-}" ] || { kill "$agent"; wait "$agent"; } 2>/dev/null
    setpriv --inh-caps=-all --bounding-set="-all$(sed 's/[^,]\+/,+&/g; s/,,/,/g' <<<"$1")" "$RAILHEAD_BIN/railhead-agent" \
        --config-file /run/test/config.json --kubelet-dir /run/test/kubelet --devinfo-dir /run/test/devinfo \
        --listen 127.0.0.1:$port --log-level debug >>/run/test/agent.log 2>&1 &
    agent=$!
    wait_for 60 get /readyz || { cat /run/test/agent.log; die "the agent is not ready"; }
}
# told NAME LINE...: ok if the metrics have these lines
told() {
    local name=$1 line metrics missing try
    shift
    for try in {1..30}; do       # the agent may be in the middle of a look, and says 503 when it is for long
        missing= metrics=$(get /metrics)
        for line; do grep -qxF -- "$line" <<<"$metrics" || missing+="$line"$'\n'; done
        [ -n "$missing" ] || break
        sleep 1
    done
    if [ -z "$missing" ]; then ok "$name"; else not_ok "$name" "$metrics" "missing:" "$missing"; fi
}
# labels VF-NUMBER RDMA-DEVICE: those of a port's metrics
labels() { printf 'device="%s",id="%s",pci="%s",resource="rdma/vf",port="1"' "$2" "${vfs[$1]}" "${vfs[$1]}"; }
# holder VF-NUMBER POD: the series that says whose it is
holder() { printf 'railhead_device_holders{id="%s",pci="%s",resource="rdma/vf",namespace="ns",pod="%s",container="main"} 1' \
    "${vfs[$1]}" "${vfs[$1]}" "$2"; }

section shared mode
kubelet_start /run/test/kubelet
agent_with ""
check "without any capability the agent offers both VFs" kubelet wait rdma/vf 2 90
must kubelet allocate ns/a main rdma/vf "${vfs[0]}" >/dev/null
must kubelet allocate ns/b main rdma/vf "${vfs[1]}" >/dev/null
for one in "0 mlx5_0 a" "1 ib_1 b"; do
    read -r number device pod <<<"$one"
    of=$(labels $number $device)
    told "traffic and counters of $device are told, and whose it is" \
        "$(holder $number $pod)" \
        "railhead_port_state{$of} $([ $number = 0 ] && echo 1 || echo 4)" \
        "railhead_port_transmitted_bytes_total{$of} 1000" \
        "railhead_port_received_bytes_total{$of} 2000" \
        "railhead_port_received_packets_total{$of} 5" \
        "railhead_port_statistic_total{$of,counter=\"symbol_error\"} 2" \
        "railhead_hw_statistic_total{$of,counter=\"out_of_sequence\"} 7"
done
told "every device is in sight" "railhead_devices_out_of_sight 0"
kill "$agent"; wait "$agent" 2>/dev/null; agent=

section exclusive mode
wait_for 60 rdma system set netns exclusive || die "cannot change to exclusive mode"
agent_with sys_admin
make_netns pod0
must cni ADD c0 pod0 net1 "$(cni_conf rail "${vfs[0]}")" >/dev/null
check "the RDMA device is in the pod" rdma_device_is_in mlx5_0 pod0
of=$(labels 0 mlx5_0)
told "counters of a device in a pod's namespace are read there" \
    "railhead_port_transmitted_bytes_total{$of} 1000" \
    "railhead_hw_statistic_total{$of,counter=\"np_cnp_sent\"} 11" \
    "railhead_devices_out_of_sight 0"
mounts=$(grep -c sysfs "/proc/$agent/mounts")
t_eq "no sysfs is left mounted in the agent" "$(grep -c sysfs /proc/self/mounts)" "$mounts"
agent_with ""
told "without the right to enter namespaces it says of how many devices it knows nothing" \
    "railhead_devices_out_of_sight 1" \
    "railhead_pool_devices{resource=\"rdma/vf\",health=\"healthy\"} 2" \
    "railhead_port_transmitted_bytes_total{$(labels 1 ib_1)} 1000"
metrics=$(get /metrics) || not_ok "the metrics" "$metrics"
check_fails "and nothing is made up for that device" "^$" grep -F 'device="mlx5_0"' <<<"$metrics"
t_match "the log says why" "no counters of a device.*${vfs[0]}.*Operation not permitted" "$(cat /run/test/agent.log)"
agent_with sys_admin
must cni DEL c0 pod0 net1 "$(cni_conf rail "${vfs[0]}")"
told "after DEL they are read in the host again" "railhead_port_transmitted_bytes_total{$of} 1000"

section "an InfiniBand VF, exclusive mode"
must modprobe ib_ipoib
must tbrdma_add ib_9 pf0 ib
for function in "$PF0" "${vfs[1]}"; do wait_for 60 pci_netdev "$function" 32 || die "IPoIB makes no netdev on $function"; done
conf=$(cni_conf ib "${vfs[1]}" '"rdmaIsolation":true' | jq -c '.type = "ib-sriov"')
must cni ADD c1 pod0 net2 "$conf" >/dev/null
check "its RDMA device is in the pod" rdma_device_is_in ib_1 pod0
of=$(labels 1 ib_1)
told "its counters and its port's state are read there" \
    "$(holder 1 b)" \
    "railhead_port_state{$of} 4" \
    "railhead_port_transmitted_bytes_total{$of} 1000" \
    "railhead_port_received_packets_total{$of} 5" \
    "railhead_port_statistic_total{$of,counter=\"symbol_error\"} 2" \
    "railhead_hw_statistic_total{$of,counter=\"np_cnp_sent\"} 11" \
    "railhead_devices_out_of_sight 0"
must cni DEL c1 pod0 net2 "$conf"
told "after DEL they are read in the host again" "railhead_port_transmitted_bytes_total{$of} 1000" "railhead_devices_out_of_sight 0"
kill "$agent"
suite_done
