# Agent and CNI binary with RDMA in exclusive mode: the RDMA device moves with its VF, and no pod
# ever opens another pod's device.
# alone: what races in it shall race on two processors
# vm-options: --timeout 2400
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../kubelet.sh"

rdma_mode exclusive
four_rdma_vfs
before=$(dump_node)
vfs=("$(vf_pci pf0 0)" "$(vf_pci pf0 1)" "$(vf_pci pf1 0)" "$(vf_pci pf1 1)")

section the agent
mkdir -p /run/test
cat >/run/test/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                   "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
kubelet_start /run/test/kubelet
agent_start /run/test/config.json /run/test/kubelet /run/test/devinfo /run/test/agent.log
check "four VFs are advertised" kubelet wait rdma/vf 4 90
pools=$(kubelet resources)
numa() { jq -r --arg id "$1" '.["rdma/vf"][] | select(.id == $id) | .numa[0]' <<<"$pools"; }
t_eq "each with its NUMA node" "0 0 1 1" "$(for vf in "${vfs[@]}"; do numa "$vf"; done | xargs)"

# node_of ANSWER: the uverbs node that Allocate named
node_of() { jq -r '.devices[] | .container_path' <<<"$1" | grep uverbs; }
# opens NETNS NODE: whether a process in that namespace can open the RDMA device behind the node
opens() { ip netns exec "$1" bash -c "exec 3<>'$2'" 2>/dev/null; }

section one pod
make_netns pod0
answer=$(kubelet allocate ns/a main rdma/vf "${vfs[0]}")
node=$(node_of "$answer")
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "${vfs[0]}")")
check "the RDMA device is in the pod" rdma_device_is_in mlx5_0 pod0
check_fails "and no longer in the host" "No such|Invalid|Wrong" rdma_device_is_in mlx5_0
check "the pod opens it through the node that Allocate named" opens pod0 "$node"
check_fails "the host cannot" . bash -c "exec 3<>'$node'"
let_agent_look
check "the device stays advertised while it is in the pod" kubelet wait rdma/vf 4 90
check "CHECK" cni CHECK c0 pod0 net1 "$(cni_conf rail "${vfs[0]}")"
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "${vfs[0]}")"
check "DEL twice is not an error" cni DEL c0 pod0 net1 "$(cni_conf rail "${vfs[0]}")"
must ip netns delete pod0
check_node_is "the node is what it was" "$before"

section a namespace that vanished
make_netns pod0
check "ADD" cni ADD c0 pod0 net1 "$(cni_conf rail "${vfs[0]}" '"vlan":100,"mac":"52:54:00:aa:bb:01"')"
must ip netns delete pod0
check "DEL after the namespace was deleted" cni DEL c0 pod0 net1 "$(cni_conf rail "${vfs[0]}")"
check_node_is "name, MAC, VLAN and RDMA device are back" "$before"
kubelet remove ns/a >/dev/null

section a chain of sriov and the plugin rdma
# As the chain of sriov-cni and rdma-cni is called, by hand: ours under the name sriov, rdma-cni's stand-in behind it.
mkdir -p /run/test/cni
cp "$RAILHEAD_BIN/railhead" /run/test/cni/sriov
cp "$here/../../support/rdma-cni" /run/test/cni/rdma
# chained TYPE VERB [PREV-RESULT]: one plugin of the chain, for net1 of c0 in pod0
chained() {
    local conf
    conf=$(cni_conf rail "${vfs[0]}" '"vlan":100,"mac":"52:54:00:aa:bb:01","trust":"on"' |
        jq --arg type "$1" --argjson prev "${3:-null}" '.type = $type | if $prev then .prevResult = $prev else . end')
    CNI_COMMAND=$2 CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=/run/test/cni CNI_ARGS= "/run/test/cni/$1" <<<"$conf"
}
make_netns pod0
first=$(chained sriov ADD)
check "after sriov the RDMA device is still in the host" rdma_device_is_in mlx5_0
second=$(chained rdma ADD "$first")
check "after rdma it is in the pod" rdma_device_is_in mlx5_0 pod0
check_fails "and no longer in the host" "No such|Invalid|Wrong" rdma_device_is_in mlx5_0
t_eq "rdma hands on what sriov said" "$(jq -S . <<<"$first")" "$(jq -S . <<<"$second")"
check "CHECK of sriov in the chain" chained sriov CHECK "$second"
check "DEL of rdma" chained rdma DEL "$second"
check "DEL of sriov" chained sriov DEL "$second"
check_node_is "the node is what it was" "$(sed 's/^namespaces: /namespaces: pod0 /' <<<"$before")"

first=$(chained sriov ADD)
second=$(chained rdma ADD "$first")
must ip netns delete pod0
check_fails "rdma fails when the namespace vanished" "failed to open network namespace" chained rdma DEL "$second"
check "sriov gives back without it" chained sriov DEL "$second"
check_node_is "the node is what it was once more" "$before"
rm /var/lib/cni/rdma/*

section an RDMA device that rdma-cni moved
make_netns pod0
first=$(chained sriov ADD)
second=$(chained rdma ADD "$first")
cp "$RAILHEAD_BIN/railhead" /run/test/cni/rdma
check "our DEL under the type rdma brings it back" chained rdma DEL "$second"
check "it is in the host" rdma_device_is_in mlx5_0
check "its cache is set aside" [ -e /var/lib/cni/rdma/rail-c0-net1.taken ]
check "DEL of sriov behind it" chained sriov DEL "$second"
must ip netns delete pod0
check_node_is "and the node is what it was" "$before"
rm /var/lib/cni/rdma/*

section changed character devices
# VF 1 is allocated with its own uverbs node; then a lower number becomes free, and the move of
# its RDMA device takes that one.
make_netns pod0
answer=$(kubelet allocate ns/a main rdma/vf "${vfs[1]}")
given=$(basename "$(node_of "$answer")")
echo "${vfs[0]}" >/sys/bus/pci/drivers/igbvf/unbind
error=$(cni ADD c0 pod0 net1 "$(cni_conf rail "${vfs[1]}")")
t_match "ADD fails and names the node that was given" "$given" "$error"
t_match "and the one it has become" "uverbs0 .*were given" "$error"
check "the RDMA device is back in the host" rdma_device_is_in mlx5_1
check "and so is the VF" ip link show dev pf0v1
check "DEL after the failed ADD" cni DEL c0 pod0 net1 "$(cni_conf rail "${vfs[1]}")"
kubelet remove ns/a >/dev/null
echo "${vfs[0]}" >/sys/bus/pci/drivers/igbvf/bind
wait_for 60 pci_netdev "${vfs[0]}" || die "the VF got no netdev back"
[ "$(pci_netdev "${vfs[0]}")" = pf0v0 ] || must ip link set dev "$(pci_netdev "${vfs[0]}")" name pf0v0
must tbrdma_add mlx5_0 pf0v0
must ip netns delete pod0
before=$(dump_node)      # the driver gave the VF another MAC when it was bound again

section 100 rounds of four concurrent ADDs
# Only the first wrong round of each kind is printed. A process start costs some 20 ms here, so the
# loop starts no others than the CNI binary and the pods' own.
add_failed= del_failed= wrong_node=
make_netns pod0 pod1 pod2 pod3
for round in {1..100}; do
    nodes=() pids=()
    for n in 0 1 2 3; do
        kubelet_ask allocate ns/p$n main rdma/vf 1
        [[ $REPLY =~ \"ids\":\[\"([^\"]+)\" ]] || die "round $round: $REPLY"
        ids[n]=${BASH_REMATCH[1]}
        [[ $REPLY =~ (/dev/infiniband/uverbs[0-9]+) ]] || die "round $round: $REPLY"
        nodes[n]=${BASH_REMATCH[1]}
    done
    for n in 0 1 2 3; do
        cni ADD c$n pod$n net1 "$(cni_conf rail "${ids[n]}")" >/run/test/add$n 2>&1 &
        pids[n]=$!
    done
    for n in 0 1 2 3; do
        wait "${pids[n]}" || add_failed=${add_failed:-round $round, pod$n: $(cat /run/test/add$n)}
    done
    for n in 0 1 2 3; do
        nsenter --net=/run/netns/pod$n bash -c \
            'for node; do (exec 3<>"$node") 2>/dev/null && echo "$node"; done' - "${nodes[@]}" >/run/test/opened$n &
        pids[n]=$!
    done
    for n in 0 1 2 3; do
        wait "${pids[n]}"
        read -r -d '' opened </run/test/opened$n
        [ "$opened" = "${nodes[n]}" ] ||
            wrong_node=${wrong_node:-round $round, pod$n was given ${nodes[n]} and opened: $opened}
    done
    for n in 0 1 2 3; do
        cni DEL c$n pod$n net1 "$(cni_conf rail "${ids[n]}")" >/run/test/del$n 2>&1 &
        pids[n]=$!
    done
    for n in 0 1 2 3; do
        wait "${pids[n]}" || del_failed=${del_failed:-round $round, pod$n: $(cat /run/test/del$n)}
        kubelet_ask remove ns/p$n
    done
    [ $((round % 20)) != 0 ] || section "$round rounds"
done
for n in 0 1 2 3; do must ip netns delete pod$n; done
t_eq "every ADD succeeded" "" "$add_failed"
t_eq "each pod opened its own device, and no other's" "" "$wrong_node"
t_eq "every DEL succeeded" "" "$del_failed"
check_node_is "the node is what it was" "$before"
check "no record is left" bash -c '[ -z "$(ls /run/railhead/attachments /run/railhead/devices | grep -v :)" ]'

section the agent ends
kill $agent
wait $agent
t_eq "SIGTERM ends the agent with code 0" 0 $?
suite_done
