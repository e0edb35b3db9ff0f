# One line in a pod: a network over all rails, in the VM with eight SR-IOV NICs, of which each four are a node of their own: the second
# node's agent and CNI program have their state in folders of its own. Ends with a non-zero code at the first step that fails.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
. "$here/cni.sh"
. "$here/kubelet.sh"
. "$here/node.sh"
. "$here/demo-words.sh"
. "$here/fixture.sh"
set -e

work=$(mktemp -d /run/railhead-demo.XXXXXX)
mkdir -p /run/railhead /var/lib/railhead
mkdir -p "$work"/node{1,2}/{run,lib}
# in_node FOLDER COMMAND…: with the state of that node, in its process
in_node=(unshare -m sh -c 'mount --bind "$1/run" /run/railhead && mount --bind "$1/lib" /var/lib/railhead && shift && exec "$@"' -)
pfs_of() { case $1 in 1) echo ${sorted[@]:0:4} ;; 2) echo ${sorted[@]:4:4} ;; esac; }

echo "The VM is up; making a VF on each NIC, and its RDMA device (about 20 s)"
rdma_mode exclusive
load_tbrdma
pfs_up
modprobe siw
sorted=($(for pf in $pfs; do echo "$(pf_pci $pf) $pf"; done | sort | cut -d' ' -f2))
[ ${#sorted[@]} = 8 ] || die "expected eight PFs"
number=0
for pf in "${sorted[@]}"; do
    make_vfs $pf 1
    tbrdma_add mlx5_$number ${pf}v0
    up_with_carrier ${pf}v0 || die "${pf}v0 has no carrier"
    ip link set dev ${pf}v0 down
    number=$((number + 1))
done
before=$(dump_node)

title "What is written once for the cluster"
mkdir -p $work/nads/ml
cat >$work/network.json <<'J'
{"cniVersion": "1.0.0", "type": "railhead", "rails": "all",
 "ipam": {"type": "rails", "rails": 4, "mode": "perRail", "v4": {"subnet": "10.16.0.0/14", "railPrefix": 16, "nodePrefix": 24}}}
J
jq -n --rawfile config $work/network.json '{kind: "NetworkAttachmentDefinition", metadata: {name: "rails", annotations:
    {"k8s.v1.cni.cncf.io/resourceName": "rdma/vf"}}, spec: {$config}}' >$work/nads/ml/rails.json
say "the network \"rails\", of the resource rdma/vf:"
sed 's/^/      /' $work/network.json
say "each node's agent, which finds its own index by its name:"
say '      ipamNode: {name: "gpu-*", first: 1}'
title "What the author of a pod writes"
say "      metadata:"
say "        annotations: {k8s.v1.cni.cncf.io/networks: rails}"
say "      spec:"
say "        containers: [{resources: {limits: {rdma/vf: 4}}}]"

jq -n --arg nads $work/nads '{cniVersion: "1.0.0", name: "node", type: "railhead-meta", nadDir: $nads, binDir: "/usr/lib/cni",
    kubeletCheckpoint: "/nonexistent",
    delegates: [{cniVersion: "1.0.0", name: "cluster", type: "bridge", bridge: "cluster0", ipam: {type: "host-local", subnet: "10.244.0.0/24"}}],
    capabilities: {"io.kubernetes.cri.pod-annotations": true},
    runtimeConfig: {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "rails"}}}' >$work/conf.json
# call VERB N: of the pod on node N
call() {
    CNI_COMMAND=$1 CNI_CONTAINERID=demo$2 CNI_NETNS=/run/netns/railhead-pod$2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
        CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=trainer-$2;K8S_POD_UID=ml.trainer-$2" \
        "${in_node[@]}" $work/node$2 "$RAILHEAD_BIN/railhead" <$work/conf.json 2>>$work/cni.log
}
began() { echo "${EPOCHREALTIME/[.,]/}"; }

for node in 1 2; do
    title "Node gpu-$node, with the NICs $(for pf in $(pfs_of $node); do pf_pci $pf; done | xargs)"
    jq -n '{pools: [{resourceName: "vf", resourcePrefix: "rdma", selectors: {pfNames: $ARGS.positional, isRdma: true}}],
        ipamNode: {name: "gpu-*", first: 1}}' --args $(pfs_of $node) >$work/config$node.json
    kubelet_start $work/kubelet$node
    "${in_node[@]}" $work/node$node "$RAILHEAD_BIN/railhead-agent" --config-file $work/config$node.json --kubelet-dir $work/kubelet$node \
        --devinfo-dir $work/devinfo$node --node-name gpu-$node >$work/agent$node.log 2>&1 &
    agent=$!
    wait_for 120 knows rdma/vf 4 || die "kubelet does not know four devices: $(tail -3 $work/agent$node.log)"
    wait_for 30 test -s $work/node$node/lib/node.json || die "the agent has not written its index: $(tail -3 $work/agent$node.log)"
    say "index $(jq -r .index $work/node$node/lib/node.json); rails by port: $(jq -r '[.rails[][]] | join(" ")' $work/node$node/lib/rail_map.json)"
    kubelet allocate "ml/trainer-$node" main rdma/vf 4 >/dev/null
    ip netns add railhead-pod$node
    ip -n railhead-pod$node link set dev lo up
    start=$(began)
    answer=$(call ADD $node) || die "ADD: $answer"
    good "the pod trainer-$node has all its networks, after $((($(began) - start + 500) / 1000)) ms"
    show ip -n railhead-pod$node -br -4 addr show
    show ip -n railhead-pod$node rule show
    show ip netns exec railhead-pod$node rdma link
    kill $agent
    wait $agent || die "the agent did not end cleanly: $(tail -3 $work/agent$node.log)"
done

title "A transfer on every rail"
say "(the VM's RDMA devices have no data path, so siw, software RDMA over TCP, is put on each VF inside its pod)"
packets() { ip netns exec railhead-pod2 cat /sys/class/net/rail$1/statistics/rx_packets; }
for rail in 0 1 2 3; do
    for node in 1 2; do siw_add siw$node$rail railhead-pod$node rail$rail; done
    source=$(ip -n railhead-pod1 -j -4 addr show dev rail$rail | jq -r '.[].addr_info[0].local')
    target=$(ip -n railhead-pod2 -j -4 addr show dev rail$rail | jq -r '.[].addr_info[0].local')
    came=$(packets $rail)
    timeout 180 ip netns exec railhead-pod2 rping -s -a $target -C 10 >$work/server 2>&1 &
    server=$!
    wait_for 60 ip netns exec railhead-pod2 grep -qi ':1c06 ' /proc/net/tcp || true
    timeout 180 ip netns exec railhead-pod1 rping -c -a $target -I $source -C 10 || die "no transfer on rail $rail"
    wait $server 2>/dev/null || true
    good "rail $rail: $source to $target, $(($(packets $rail) - came)) packets came by rail$rail of trainer-2"
    for node in 1 2; do siw_del siw$node$rail railhead-pod$node; done
done

title "All is given back"
for node in 1 2; do
    start=$(began)
    answer=$(call DEL $node) || die "DEL: $answer"
    say "trainer-$node: in $((($(began) - start + 500) / 1000)) ms"
    ip netns delete railhead-pod$node
    [ -z "$(ls $work/node$node/lib/ipam/*.json 2>/dev/null)" ] || die "a lease is left"
done
! ip link show dev cluster0 >/dev/null 2>&1 || ip link delete cluster0
for try in {1..30}; do
    after=$(dump_node)
    [ "$before" != "$after" ] || break
    sleep 1
done
if [ "$before" != "$after" ]; then
    diff -U2 --label before --label after <(printf '%s\n' "$before") <(printf '%s\n' "$after") || true
    die "the node is not as it was before"
fi
good "no difference in $(wc -l <<<"$before") lines about PFs, VFs and RDMA devices, and no lease is left"
