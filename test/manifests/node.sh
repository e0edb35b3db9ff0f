# A node with one RDMA NIC (a PF with a VF) as files, and an agent that serves it. Sourced; needs $work and $bin.
. "$(dirname "${BASH_SOURCE[0]}")/../support/http.sh"

# put PATH TEXT: a file below the node's sysfs
put() {
    mkdir -p "$work/sys/$(dirname "$1")"
    printf '%s\n' "$2" >"$work/sys/$1"
}

# add_function ADDRESS RDMA-DEVICE NUMBER
add_function() {
    local at=devices/pci0000:10/$1
    put "$at/uevent" "DRIVER=mlx5_core
PCI_CLASS=20000
PCI_ID=15B3:101D
PCI_SLOT_NAME=$1"
    put "$at/numa_node" 0
    put "$at/infiniband/$2/node_guid" 0011:2233:4455:6677
    put "$at/infiniband/$2/ports/1/link_layer" Ethernet
    put "$at/infiniband/$2/ports/1/state" "4: ACTIVE"
    put "$at/infiniband/$2/ports/1/counters/port_xmit_data" 250
    put "$at/infiniband/$2/ports/1/counters/port_rcv_data" 250
    put "$at/infiniband/$2/ports/1/counters/port_xmit_packets" 5
    put "$at/infiniband/$2/ports/1/counters/port_rcv_packets" 5
    put "$at/infiniband/$2/ports/1/counters/symbol_error" 0
    put "$at/infiniband/$2/ports/1/hw_counters/out_of_sequence" 0
    put "$at/infiniband_verbs/uverbs$3/ibdev" "$2"
    put "$at/infiniband_verbs/uverbs$3/dev" "231:$((192 + $3))"
    mkdir -p "$work/sys/bus/pci/devices" "$work/sys/bus/pci/drivers/mlx5_core"
    ln -s "../../../$at" "$work/sys/bus/pci/devices/$1"
    ln -s "../../../bus/pci/drivers/mlx5_core" "$work/sys/$at/driver"
}

make_node() {
    add_function 0000:10:00.0 mlx5_0 0
    add_function 0000:10:00.1 mlx5_1 1
    put devices/pci0000:10/0000:10:00.0/sriov_totalvfs 1
    put devices/pci0000:10/0000:10:00.0/sriov_numvfs 1
    ln -s ../0000:10:00.1 "$work/sys/devices/pci0000:10/0000:10:00.0/virtfn0"
    ln -s ../0000:10:00.0 "$work/sys/devices/pci0000:10/0000:10:00.1/physfn"
    mkdir -p "$work/kubelet/device-plugins" "$work/kubelet/plugins_registry"
}

# start_node CONFIG: a kubelet stand-in and the agent; the port that the agent listens on goes to $port
start_node() {
    local try
    make_node
    coproc KUBELET { exec "$bin/fake-kubelet" --dir "$work/kubelet"; }
    "$bin/railhead-agent" --config-file "$1" --sysfs-root "$work/sys" --kubelet-dir "$work/kubelet" \
        --run-dir "$work/run" --state-dir "$work/state" --devinfo-dir "$work/devinfo" --listen 127.0.0.1:0 >"$work/agent.log" 2>&1 &
    agent=$!
    ask "wait rdma/vf 1" >/dev/null || return
    for try in {1..100}; do
        port=$(sed -n 's/.*msg="listening" address=127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/agent.log")
        [ -z "$port" ] || return 0
        sleep .1
    done
    cat "$work/agent.log"
    return 1
}

# ask COMMAND: the kubelet stand-in's answer
ask() {
    printf '%s\n' "$1" >&"${KUBELET[1]}"
    read -r -t 30 <&"${KUBELET[0]}" && printf '%s\n' "$REPLY" && [[ $REPLY != '{"error"'* ]]
}

stop_node() {
    [ -z "${agent:-}" ] || { kill "$agent" && wait "$agent"; } 2>/dev/null
    [ -z "${KUBELET_PID:-}" ] || { kill "$KUBELET_PID" && wait "$KUBELET_PID"; } 2>/dev/null
    agent=
}
