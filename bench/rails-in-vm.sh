# Runs in the VM: the ADD of a pod over eight rails, by one network with `rails: 8` and by eight networks of one device each, of the same
# devices and with addresses by the same IPAM; pairs are interleaved. Leaves $RAILHEAD_SHARE/rails.json.
. test/vm/fixture.sh
pairs=${PAIRS:-15}

rdma_mode shared
pfs_up
sorted=($(for pf in $pfs; do echo "$(pf_pci $pf) $pf"; done | sort | cut -d' ' -f2))
vfs=()
for pf in "${sorted[@]}"; do
    make_vfs $pf 1
    up_with_carrier ${pf}v0                              # igbvf's first `up` after boot is unlike all others
    must ip link set dev ${pf}v0 down
    vfs+=("$(vf_pci $pf 0)")
done
make_netns bench
binary=/run/railhead-bench                               # from memory, as a node has it in its page cache
must cp "$RAILHEAD_BIN/railhead" $binary
mkdir -p /run/nads/ml /var/lib/railhead
echo '{"schema":1,"index":2,"source":"list","node":"gpu-2"}' >/var/lib/railhead/node.json
jq -n '{schema: 1, rails: [$ARGS.positional[] | [.]]}' --args $(for pf in "${sorted[@]}"; do pf_pci $pf; done) >/var/lib/railhead/rail_map.json
jq -n '{Data: {PodDeviceEntries: [{PodUID: "u0", ContainerName: "main", ResourceName: "rdma/vf", DeviceIDs: {"-1": $ARGS.positional}}],
    RegisteredDevices: {"rdma/vf": []}}, Checksum: 1}' --args "${vfs[@]}" >/run/checkpoint
# nad NAME RAILS
nad() {
    jq -n --arg name $1 --argjson keys "$2" '{kind: "NetworkAttachmentDefinition", metadata: {$name, annotations: {"k8s.v1.cni.cncf.io/resourceName": "rdma/vf"}},
        spec: {config: ({cniVersion: "1.0.0", $name, type: "railhead", ipam: {type: "rails", rails: 8, v4: {subnet: "10.16.0.0/13", railPrefix: 16,
        nodePrefix: 24}}} + $keys | tojson)}}' >/run/nads/ml/$1.json
}
nad rails '{"rails": 8}'
for rail in {0..7}; do nad one$rail '{}'; done
# conf NETWORKS
conf() {
    jq -nc --arg networks "$1" '{cniVersion: "1.0.0", name: "node", type: "railhead-meta", nadDir: "/run/nads", binDir: "/usr/lib/cni",
        ownership: "off", logLevel: "error", kubeletCheckpoint: "/run/checkpoint", delegates: [{cniVersion: "1.0.0", name: "cluster", type: "loopback"}],
        runtimeConfig: {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": $networks}}}'
}
conf rails >/run/conf.rails
conf "$(printf 'one%s,' {0..7} | sed 's/,$//')" >/run/conf.single
# call VERB CONF
call() {
    CNI_COMMAND=$1 CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/bench CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
        CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=pod;K8S_POD_UID=u0" $binary <$2 >/run/answer 2>/run/log ||
        die "$1: $(cat /run/answer /run/log)"
}
for ((pair = 0; pair <= pairs; pair++)); do
    for kind in rails single; do
        start=${EPOCHREALTIME/[.,]/}
        call ADD /run/conf.$kind
        took=$((${EPOCHREALTIME/[.,]/} - start))
        call DEL /run/conf.$kind
        [ $pair = 0 ] || echo "$kind $took" >>/run/times
    done
done
median() { sed -n "s/^$1 //p" /run/times | sort -n | sed -n "$(((pairs + 1) / 2))p"; }
rails=$(median rails) single=$(median single)
jq -n --argjson rails $rails --argjson single $single --argjson pairs $pairs \
    '{pod_rails_8: {$pairs, rails_ms: ($rails / 1000), single_ms: ($single / 1000), ratio: ($rails / $single)}}' >"$RAILHEAD_SHARE/rails.json"
echo "a pod over eight rails, $pairs interleaved pairs: $((rails / 1000)) ms by rails: 8, $((single / 1000)) ms by eight networks"
