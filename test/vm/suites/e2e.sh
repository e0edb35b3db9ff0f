# A real kubelet and containerd: static pods ask for VFs and get them, through restarts of kubelet and of the agent; and their network is a
# VF, by a chain of plugins.
# needs: RAILHEAD_E2E test/e2e/prepare
# vm-options: --timeout 2400 --memory 2700
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../real-kubelet.sh"
. "$here/../kubelet.sh"

rdma_mode shared
four_rdma_vfs
vfs=$(for pf in pf0 pf1; do vf_pci $pf 0; vf_pci $pf 1; done)

section containerd
containerd_start
section kubelet
mkdir -p $e2e $kubelet_dir
cat >$e2e/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                   "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J

show='echo env=$PCIDEVICE_RDMA_VF; for n in /dev/infiniband/*; do echo node=$n; done; echo done; exec sleep 3600'

section the agent before kubelet
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent.log
real_kubelet_start
check "a kubelet that comes after the agent registers it" wait_for 180 registered $e2e/agent.log 1
check "and knows its devices" wait_for 120 devices_known $e2e/stamp

section a pod with two VFs
pod a '{"rdma/vf": "2"}' sh -c "$show"
check "runs" wait_for 180 pod_is a Running
wait_for 60 finished a || not_ok "it says what it was given" "$(pod_log a)"
devices=$(given a env)
t_match "and its environment names two devices" "^[^,]+,[^,]+$" "$devices"
t_eq "that are VFs of this node" "" "$(comm -23 <(tr , '\n' <<<"$devices" | sort) <(sort <<<"$vfs"))"
t_eq "in PCI order" "$(tr , '\n' <<<"$devices" | sort | xargs)" "$(tr , '\n' <<<"$devices" | xargs)"
t_eq "it has the device nodes of both" "2" "$(given a node | grep -c uverbs)"

section too much
pod b '{"rdma/vf": "3"}' sh -c "$show"
check "a pod that asks for more than is left is refused" wait_for 180 pod_is b Failed
t_match "and kubelet says for which resource" "rdma/vf" "$(pod_status b)"
remove_pod b
check "it goes" wait_for 180 pod_is_gone b

section kubelet restarts
registrations=$(grep -c "pool registered with kubelet" $e2e/agent.log)
touch $e2e/stamp
real_kubelet_stop
real_kubelet_start
check "the agent is registered again" wait_for 180 registered $e2e/agent.log $((registrations + 1))
check "and kubelet knows its devices" wait_for 120 devices_known $e2e/stamp
check "the pod still runs" wait_for 180 pod_is a Running
pod c '{"rdma/vf": "2"}' sh -c "$show"
check "the rest of the VFs can be had" wait_for 180 pod_is c Running
wait_for 60 finished c || not_ok "it says what it was given" "$(pod_log c)"
t_match "two of them" "^[^,]+,[^,]+$" "$(given c env)"
t_eq "and they are others" "" "$(comm -12 <(tr , '\n' <<<"$devices" | sort) <(given c env | tr , '\n' | sort))"

section the agent restarts
kill $agent
wait $agent
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent2.log
check "kubelet takes it again" wait_for 180 registered $e2e/agent2.log 1
check "and knows its devices" wait_for 120 devices_known $e2e/stamp
check "running pods go on" wait_for 60 pod_is a Running
remove_pod c
check "a pod ends" wait_for 180 pod_is_gone c
pod d '{"rdma/vf": "2"}' sh -c "$show"
check "and leaves its VFs to the next" wait_for 180 pod_is d Running

section a rolling update of the agent
old=$agent
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent3.log
kill $old
wait $old
# quiet LOG: registered, and for some seconds not anew: kubelet has done with the agent before it
quiet() {
    local times
    times=$(grep -c "pool registered with kubelet" "$1")
    [ "$times" -ge 1 ] && sleep 6 && [ "$times" = "$(grep -c "pool registered with kubelet" "$1")" ]
}
check "its successor is registered, for good" wait_for 180 quiet $e2e/agent3.log
remove_pod d
check "the pod ends" wait_for 180 pod_is_gone d
pod e '{"rdma/vf": "2"}' sh -c "$show"
check "and the next one runs on the successor's word" wait_for 180 pod_is e Running

for name in a b c d e; do remove_pod $name; done
for name in a e; do check "pod $name ends" wait_for 180 pod_is_gone $name; done
kill $agent
wait $agent
t_eq "the agent ends well" 0 $?

section whose devices kubelet asks for
cat >$e2e/two.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "a", "selectors": {"drivers": ["igbvf"], "rootDevices": ["PF0"]}},
                  {"resourcePrefix": "rdma", "resourceName": "b", "selectors": {"drivers": ["igbvf"], "rootDevices": ["PF1"]}}]}
J
sed -i -e "s/PF0/$(pf_pci pf0)/" -e "s/PF1/$(pf_pci pf1)/" $e2e/two.json
# This machine has no GPU: network functions count as such, so that one resource's VFs are the other's GPUs.
agent_start $e2e/two.json $kubelet_dir $e2e/devinfo $e2e/agent4.log --gpu-class 0200 --gpu-vendor any
check "an agent with two resources is registered" wait_for 180 registered $e2e/agent4.log 2
saved_both() {
    jq -e '.Data.RegisteredDevices | [.["rdma/a", "rdma/b"] | length] == [2, 2]' $kubelet_dir/device-plugins/kubelet_internal_checkpoint
}
knows_both() { wait_for 60 saved_both || { [ "$(lists_taken rdma/a)" -ge 1 ] && [ "$(lists_taken rdma/b)" -ge 1 ]; }; }
check "and kubelet knows the devices of both" knows_both
pod g '{"rdma/a": "1", "rdma/b": "1"}' sh -c "$show"
check "a pod with both runs" wait_for 180 pod_is g Running
t_eq "the agent knew it by its first device when kubelet asked for the second" 'pod= pod=default/g-testbed' \
    "$(sed -n 's/.*msg="preferred" .* pod=/pod=/p' $e2e/agent4.log | tr -d '"' | xargs)"
remove_pod g
check "it ends" wait_for 180 pod_is_gone g
kill $agent
wait $agent

section the agent as the manifests have it
image localhost/railhead-agent:1 "$RAILHEAD_BIN/railhead-agent" usr/bin/railhead-agent
mkdir -p $e2e/etc
cp $e2e/config.json $e2e/etc/config.yaml
daemonset_pod agent "$here/../../../manifests/base/daemonset.yaml" localhost/railhead-agent:1 $e2e/etc
check "it runs" wait_for 180 pod_is agent Running
agent_log() { sed -E 's/^[^ ]+ (stdout|stderr) [FP] //' /var/log/pods/default_agent-testbed_*/agent/*.log; }
registered_from_pod() { agent_log | grep "pool registered with kubelet" >/dev/null; }
check "and registers itself through its mounts" wait_for 180 registered_from_pod
check "kubelet finds it ready" wait_for 180 pod_is_ready agent
pid=$(pgrep -f '^railhead-agent .*--log-json')
t_eq "without any capability" 0000000000000000 "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/$pid/status)"
# The VFs of the pod above were of other resources: they wait until kubelet has told this agent who has what.
t_eq "and nothing to complain of but the memory that pods may lock here" "" \
    "$(agent_log | grep -E '"level":"(warning|error)"' | grep -v -e memlock_limit_bytes -e 'held by a pod as rdma/[ab];' -e 'whether a pod still has it as rdma/[ab] is not known')"
pod f '{"rdma/vf": "2"}' sh -c "$show"
check "a pod gets its devices from it" wait_for 180 pod_is f Running
wait_for 60 finished f || not_ok "it says what it was given" "$(pod_log f)"
t_match "two of them" "^[^,]+,[^,]+$" "$(given f env)"
t_eq "with their nodes" 2 "$(given f node | grep -c uverbs)"
section a rolling update with a surge
daemonset_pod next "$here/../../../manifests/base/daemonset.yaml" localhost/railhead-agent:1 $e2e/etc
check "the next agent is ready before the first one ends" wait_for 300 pod_is_ready next
log_of() { sed -E 's/^[^ ]+ (stdout|stderr) [FP] //' /var/log/pods/default_"$1"-testbed_*/agent/*.log; }
# What the agents said is shown where it failed, and how often kubelet started each: one that does not answer its probes is started anew.
says_standby() {
    log_of next | grep "standby until the agent before this one ends" >/dev/null && return
    http 10255 /pods | jq -c '.items[] | [.metadata.name, (.status.containerStatuses[]? | .restartCount, .lastState)]'
    grep -h "probe" $e2e/kubelet.log | tail -5
    for name in agent next; do log_of $name | tail -5; done
    return 1
}
check "as a standby" says_standby
t_match "which says whose the node is" "pod agent-testbed " "$(log_of next | grep standby)"
touch $e2e/stamp
# Kubelet removes a pod's log with the pod.
tail -n 0 -F /var/log/pods/default_agent-testbed_*/agent/*.log >$e2e/agent-end.log 2>/dev/null &
tailing=$!
remove_pod agent
serves() { log_of next | grep '"msg":"serving this node"' >/dev/null; }
check "it serves when that one ends" wait_for 180 serves
next_registered() { log_of next | grep "pool registered with kubelet" >/dev/null; }
check "and is registered" wait_for 60 next_registered
kill $tailing
# ms_of TEXT: when the line on the standard input with the text was written, in milliseconds
ms_of() { date -d "$(sed -nE "/\"msg\":\"$1/s/.*\"time\":\"([^\"]+)\".*/\1/p" | tail -1)" +%s%3N; }
ending=$(ms_of ending <$e2e/agent-end.log) serving=$(log_of next | ms_of "serving this node") back=$(log_of next | ms_of "pool registered with kubelet")
echo "hand-over under kubelet: it serves $((serving - ending)) ms after the end began, and is registered $((back - ending)) ms after that"
check "and kubelet knows its devices" wait_for 120 devices_known $e2e/stamp
check "the pod runs on" pod_is f Running
pod k '{"rdma/vf": "2"}' sh -c "$show"
check "and the next pod gets its devices" wait_for 180 pod_is k Running
for name in f k next; do remove_pod $name; done
for name in f k next agent; do check "pod $name ends" wait_for 180 pod_is_gone $name; done
section a reload that puts what a pod has into another resource
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent5.log
check "an agent is registered" wait_for 180 registered $e2e/agent5.log 1
check "and kubelet knows its devices" wait_for 120 devices_known $e2e/stamp
pod h '{"rdma/vf": "2"}' sh -c "$show"
check "a pod has two devices" wait_for 180 pod_is h Running
wait_for 60 finished h || not_ok "it says what it was given" "$(pod_log h)"
held=$(given h env | tr , '\n' | sort)
sed 's/"resourceName": "vf"/"resourceName": "other"/' $e2e/config.json >$e2e/.config && cp $e2e/config.json $e2e/first.json && mv $e2e/.config $e2e/config.json
# healthy_ids RESOURCE: as the agent tells kubelet
healthy_ids() { "$RAILHEAD_BIN/railhead-agent" status --json | jq -r --arg r "$1" '.pools[] | select(.resource == $r) | .devices[] | select(.healthy) | .id' | sort; }
check_becomes "its devices are not offered as the other resource" "$(comm -23 <(sort <<<"$vfs") <(echo "$held"))" healthy_ids rdma/other
held_only() { "$RAILHEAD_BIN/railhead-agent" status --json | jq -r '.pools[] | select(.resource == "rdma/vf") | .held_only[]' | sort; }
check_becomes "the resource that it has them by stays registered with them alone" "$held" held_only
check "for kubelet too" wait_for 60 eval '[ "$(jq -r ".Data.RegisteredDevices[\"rdma/vf\"] | sort | .[]" $kubelet_dir/device-plugins/kubelet_internal_checkpoint)" = "$held" ]'
pod i '{"rdma/other": "3"}' sh -c "$show"
check "a pod that asks for one more than are free is refused" wait_for 180 pod_is i Failed
pod j '{"rdma/other": "2"}' sh -c "$show"
check "one that asks for the free ones runs" wait_for 180 pod_is j Running
wait_for 60 finished j || not_ok "it says what it was given" "$(pod_log j)"
t_eq "with devices that nobody has" "" "$(comm -12 <(given j env | tr , '\n' | sort) <(echo "$held"))"
t_match "status says who has what" "held by default/h-testbed, container main since .*podresources" "$("$RAILHEAD_BIN/railhead-agent" status)"
for name in h i; do remove_pod $name; done
check "the pod ends" wait_for 180 pod_is_gone h
check_becomes "then its devices are offered" "$(sort <<<"$vfs")" healthy_ids rdma/other
remove_pod j
check "the other one ends" wait_for 180 pod_is_gone j
mv $e2e/first.json $e2e/config.json
kill $agent
wait $agent

# Agents were ended while pods had devices: what they keep of these would go with the next attachment.
rm -f /run/railhead/baseline/*
section "containerd calls a chain: railhead, then Debian's tuning and sbr"
vf=$(vf_pci pf1 1)
must cp "$RAILHEAD_BIN/railhead" "$runtime/usr/lib/cni/"
attach='{"type": "railhead", "deviceID": "'$vf'", "vlan": 100, "mac": "52:54:00:aa:bb:01", "mtu": 1400, "trust": "on",
         "ipam": {"type": "host-local", "subnet": "10.9.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}}'
# network PLUGIN...: the pods' network from now on. containerd 1.6 reads the folder anew when a file in it was written or removed, not when one
# was moved there. Without a network it refuses sandboxes, and kubelet tries again: none is made with the one before.
network() {
    local file=$e2e/net.d/10-rail.conflist
    if [ -e $file ]; then
        rm $file
        wait_for 60 grep 'failed to reload cni configuration .*(REMOVE ' $e2e/containerd.log || die "containerd does not see that its network is gone"
    fi
    jq -n --args '{cniVersion: "1.0.0", name: "rail", plugins: [$ARGS.positional[] | fromjson]}' "$@" >$file
}
# The node, and what all who have a part in it keep of an attachment: records, claims, debts; addresses, but not which one was the last;
# tuning's backups; namespaces; and results, which libcni keeps.
standing() {
    "$RAILHEAD_BIN/vm_dump_node"
    find /run/railhead/{attachments,devices,debts} /run/cni /run/netns /var/lib/cni -not -type d \
        -not -name lock -not -name 'last_reserved_ip.*' 2>/dev/null | sort
}
# Kubelet asks every five seconds whether there is a network: the dump takes as long.
network "$attach" '{"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}' '{"type": "sbr"}'
before=$(standing)
whole_node=$(dump_node)
host_network=false pod chain '{}' sh -c 'echo mac=$(busybox cat /sys/class/net/eth0/address)
    echo address=$(busybox ip -o -4 addr show dev eth0 | busybox grep -o "inet [^ ]*"); echo done; exec sleep 3600'
check "a pod runs on it" wait_for 180 pod_is chain Running
wait_for 60 finished chain || not_ok "it says what it has" "$(pod_log chain)"
t_eq "its container sees the interface's MAC and address" "52:54:00:aa:bb:01 inet 10.9.0.2/24" "$(given chain mac) $(given chain address)"
# The types of the Go plugins behind railhead have no mtu: its result's ends there, and the netdev's own is looked at below.
result=$(jq -c .result /var/lib/cni/results/rail-*-eth0)
netns=$(basename "$(jq -r '.interfaces[0].sandbox' <<<"$result")")
t_eq "the result that containerd has is the interface's" \
    '["eth0","52:54:00:aa:bb:01",[{"address":"10.9.0.2/24","gateway":"10.9.0.1","interface":0}],[{"dst":"0.0.0.0/0"}]]' \
    "$(jq -cS '[.interfaces[0].name, .interfaces[0].mac, .ips, .routes]' <<<"$result")"
pod_address() { http 10255 /pods | jq -r '.items[] | select(.metadata.name == "chain-testbed") | .status.podIP'; }
check_becomes "kubelet has the address from it" 10.9.0.2 pod_address
t_match "the VF is in the sandbox's namespace, with MTU and MAC" "UP.* mtu 1400 .*52:54:00:aa:bb:01 .* parentdev $vf" \
    "$(ip -n "$netns" -d -o link show dev eth0)"
t_match "its PF has the VLAN and the trust" "52:54:00:aa:bb:01.* vlan 100.* trust on" "$(ip -d link show dev pf1 | grep -E '^ *vf 1 ')"
t_eq "tuning's sysctl is set" 1 "$(in_netns "$netns" cat /proc/sys/net/ipv4/conf/eth0/arp_filter)"
t_eq "and was not before" 0 "$(in_netns "$netns" cat /proc/sys/net/ipv4/conf/default/arp_filter)"
t_match "sbr's rule is there" "from 10.9.0.2 lookup 100" "$(ip -n "$netns" rule)"
t_eq "and its table has the routes" "10.9.0.0/24 dev eth0 default via 10.9.0.1 dev eth0" \
    "$(ip -n "$netns" route show table 100 | grep -oE '^[^ ]+ (via [^ ]+ )?dev eth0' | sort | xargs)"
t_eq "which it took from where railhead had put them" "" "$(ip -n "$netns" route show table main)"
remove_pod chain
check "the pod ends" wait_for 180 pod_is_gone chain
check_becomes "the VF is what it was, and nobody keeps anything" "$before" standing
# A file that containerd has left, unmounted: what it says of that.
[ -z "$(find /run/netns -type f)" ] || grep -hE "$netns|StopPodSandbox" $e2e/containerd.log | tail -20

section a plugin of the chain that fails
network "$attach" '{"type": "sbr"}' '{"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.no_such": "1"}}'
host_network=false pod broken '{}' sh -c 'exec sleep 3600'
failed() { grep -E 'RunPodSandbox .*broken-testbed.* failed.*tuning.* failed \(add\).*no_such' $e2e/containerd.log; }
check "the pod gets no sandbox, for the third plugin fails" wait_for 180 failed
attached() { grep -E 'msg="ADD done" .*pod=default/broken-testbed ' $e2e/containerd.log; }
check "after the first one had attached the VF" attached
remove_pod broken
check "the pod ends" wait_for 180 pod_is_gone broken
check_becomes "nothing is left of it" "$before" standing
check_node_is "and the node is what it was" "$whole_node"
rm $e2e/net.d/10-rail.conflist

real_kubelet_stop
[ -z "${RAILHEAD_SHARE:-}" ] || cp $e2e/*.log "$RAILHEAD_SHARE"
suite_done
