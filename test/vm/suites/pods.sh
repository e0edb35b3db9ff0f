# Pods under a real kubelet and containerd, with the meta plugin in Multus' place: a cluster network of Debian's plugins, and two VFs with
# their RDMA devices, in chains with other plugins. NADs are files, devices are kubelet's word.
# needs: RAILHEAD_E2E test/e2e/prepare
# vm-options: --timeout 2400 --memory 2700
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../real-kubelet.sh"
. "$here/../kubelet.sh"
. "$here/../meta.sh"

rdma_mode exclusive
four_rdma_vfs
vfs=$(for pf in pf0 pf1; do vf_pci $pf 0; vf_pci $pf 1; done)

section the node
meta_node_start
# Debian's vlan knows no linkInContainer: a plugin that stands on what another one has attached
cat >$plugins/vlan-inside <<'P'
#!/bin/bash
pod=(ip -n "$(basename "$CNI_NETNS")" link)
case $CNI_COMMAND in
    ADD) "${pod[@]}" add link net1 name "$CNI_IFNAME" type vlan id 8 2>&1 && echo '{"cniVersion":"0.4.0"}' ;;
    DEL) "${pod[@]}" delete "$CNI_IFNAME" 2>/dev/null || : ;;
esac
P
# A bond of what stands before it, as bond-cni makes one of its linksInContainer; with failOverMac 1, since a VF with an admin MAC takes no other
cat >$plugins/bond-inside <<'P'
#!/bin/bash
pod=(ip -n "$(basename "$CNI_NETNS")" link)
case $CNI_COMMAND in
    ADD)
        exec 3>&1 >&2
        "${pod[@]}" add "$CNI_IFNAME" type bond mode active-backup miimon 100 fail_over_mac active || exit 1
        for link in net1 net2; do
            "${pod[@]}" set $link down && "${pod[@]}" set $link master "$CNI_IFNAME" || exit 1
        done
        "${pod[@]}" set "$CNI_IFNAME" up && echo '{"cniVersion":"0.4.0"}' >&3 ;;
    DEL) "${pod[@]}" delete "$CNI_IFNAME" 2>/dev/null || : ;;
esac
P
chmod +x $plugins/{vlan,bond}-inside
# As SNO renders a network with RDMA, and with what users put behind it
nad rail0 '{"cniVersion":"1.0.0","name":"rail0","plugins":[
    {"type":"sriov","vlan":100,"trust":"on","ipam":{"type":"host-local","subnet":"10.9.0.0/24"}},{"type":"rdma"}]}' rdma/vf
nad rail1 '{"cniVersion":"1.0.0","name":"rail1","plugins":[
    {"type":"sriov","vlan":101,"ipam":{"type":"host-local","subnet":"10.9.1.0/24","routes":[{"dst":"10.99.0.0/16","gw":"10.9.1.254"}]}},
    {"type":"rdma"},{"type":"tuning","sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"},"mtu":1400},{"type":"sbr"}]}' rdma/vf
nad bond '{"cniVersion":"0.4.0","name":"bond","type":"bond-inside"}'
nad inside '{"cniVersion":"0.4.0","name":"inside","type":"vlan-inside"}'
nad vlan7 '{"cniVersion":"0.4.0","name":"vlan7","type":"vlan","master":"pf1","vlanId":7,"ipam":{"type":"host-local","subnet":"10.9.7.0/24"}}'
nad shared '{"cniVersion":"0.3.1","name":"shared","type":"macvlan","master":"pf0","ipam":{"type":"host-local","subnet":"10.9.8.0/24"}}'
nad failing '{"cniVersion":"1.0.0","name":"failing","plugins":[{"type":"macvlan","master":"pf0",
    "ipam":{"type":"host-local","subnet":"10.9.8.0/24"}},{"type":"tuning","sysctl":{"net.ipv4.conf.IFNAME.no_such":"1"}}]}'
cat >$e2e/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                   "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent.log
real_kubelet_start
check "kubelet knows the devices" wait_for 180 devices_known $e2e/stamp
meta_conflist

# The node, and what all who have a part in it keep of pods
standing() {
    "$RAILHEAD_BIN/vm_dump_node" | grep -v -e cni0 -e '^sysctl.* veth'
    find /run/railhead /var/lib/railhead/pods /run/cni /run/netns /var/lib/cni -not -type d \
        -not -path '*/locks/*' -not -path '*/allocations/*' -not -name agent.\* -not -name lock -not -name 'last_reserved_ip.*' 2>/dev/null | sort
    ip -o link show type veth | wc -l
}
show='echo env=$PCIDEVICE_RDMA_VF; for i in eth0 net1 net2; do echo $i=$(busybox ip -o -4 addr show dev $i | busybox grep -o "inet [^ ]*"); done
      echo done; exec sleep 3600'
# The first pod makes the bridge, for good.
meta_pod first '' 0 sh -c 'exec sleep 3600'
check "a pod that asks for no network runs" wait_for 180 pod_is first Running
remove_pod first
check "it ends" wait_for 180 pod_is_gone first
check "and leaves no record" wait_for 60 eval '[ -z "$(ls /var/lib/railhead/pods)" ]'
before=$(standing)

section two pods of two VFs each
meta_pod a rail0,rail1 2 sh -c "$show"
check "the first runs" wait_for 180 pod_is a Running
meta_pod b 'rail0,rail1' 2 sh -c "$show"
check "the second runs" wait_for 180 pod_is b Running
for name in a b; do
    wait_for 60 finished $name || not_ok "pod $name says what it was given" "$(pod_log $name)"
    t_match "pod $name has its cluster network" "^inet 10.244.0." "$(given $name eth0)"
    t_match "and its first rail" "^inet 10.9.0." "$(given $name net1)"
    t_match "and its second" "^inet 10.9.1." "$(given $name net2)"
    t_eq "the devices of its status are those of its container, in this order" "$(given $name env)" \
        "$(status_of $name | jq -r '[.[1,2]."device-info".pci."pci-address"] | join(",")')"
    netns=$(netns_of $name)
    t_eq "two RDMA devices are in its namespace" 2 "$(in_netns "$netns" rdma dev | wc -l)"
    t_match "its second rail has tuning's MTU" " mtu 1400 " "$(ip -n "$netns" -o link show net2)"
    t_match "and sbr's rule" "from 10.9.1.[0-9]* lookup 100" "$(ip -n "$netns" rule)"
    t_eq "its default route is the cluster network's" eth0 "$(ip -n "$netns" -j route show default | jq -r '.[].dev' | xargs)"
done
t_eq "kubelet has the cluster network's address" "$(given a eth0)" "inet $(http 10255 /pods | jq -r '.items[] | select(.metadata.name == "a-testbed") | .status.podIP')/24"
"$RAILHEAD_BIN/railhead" state
a=$(netns_of a) b=$(netns_of b)
check "they reach each other over a rail" in_netns "$a" ping -c 1 -W 20 "$(given b net1 | sed 's/inet //; s|/.*||')"
siw_add siw_a "$a" net1
siw_add siw_b "$b" net1
address=$(given b net1 | sed 's/inet //; s|/.*||')
timeout 180 ip netns exec "$b" rping -s -a "$address" -C 3 >/tmp/rping-server 2>&1 &
wait_for 60 in_netns "$b" grep -qi ':1c06 ' /proc/net/tcp
check "and by RDMA" timeout 120 ip netns exec "$a" rping -c -a "$address" -C 3
for name in siw_a siw_b; do rdma link delete $name 2>/dev/null; done

section too many networks
remove_pod a
check "a pod ends" wait_for 180 pod_is_gone a
meta_pod c rail0,rail1 1 sh -c "$show"
refused() { grep -F 'networks[1] (default/rail1): the pod has 1 devices of rdma/vf' $e2e/containerd.log; }
check "one that asks for more networks than devices gets none, and is told why" wait_for 180 refused
check "nothing of it is on record" eval '! record_of c'
remove_pod c
remove_pod b
for name in b c; do check "pod $name ends" wait_for 180 pod_is_gone $name; done
check_becomes "all that stands is as before" "$before" standing

section chains and other plugins
meta_pod d inside@v8,rail0@net1,vlan7,shared@mv0 1 sh -c "$show"
check "a pod with VLANs and a macvlan runs" wait_for 180 pod_is d Running
t_match "a VLAN that comes before its VF in the annotation stands on it" "v8@net1" "$(ip -n "$(netns_of d)" -o link show v8)"
t_match "one of the host's PF is there" "10.9.7." "$(ip -n "$(netns_of d)" -o -4 addr show net3)"
t_match "the macvlan has its address" "10.9.8." "$(ip -n "$(netns_of d)" -o -4 addr show mv0)"
remove_pod d
check "it ends" wait_for 180 pod_is_gone d
must modprobe bonding max_bonds=0
meta_pod h rail0,rail1,bond@bond0 2 sh -c "$show"
check "a pod with a bond of two VFs runs" wait_for 180 pod_is h Running
t_eq "both are in it" "net1 net2" "$(ip -n "$(netns_of h)" -j link show master bond0 | jq -r 'map(.ifname) | sort | join(" ")')"
remove_pod h
check "it ends" wait_for 180 pod_is_gone h
rm -f /run/railhead/baseline/*
check_becomes "its VFs are as before" "$before" standing
meta_pod e rail0,failing 1 sh -c "$show"
failed() { grep -E 'e-testbed.*networks\[1\] \(default/failing\): plugin type=..tuning.. name=..failing.. failed \(add\)' $e2e/containerd.log; }
check "a pod one of whose plugins fails gets nothing" wait_for 180 failed
remove_pod e
check "it ends" wait_for 180 pod_is_gone e
check_becomes "all that stands is as before" "$before" standing

section the agent is away
kill $agent
wait $agent
meta_pod f '' 0 sh -c 'exec sleep 3600'
check "a pod without networks runs all the same" wait_for 180 pod_is f Running
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent2.log
check "kubelet knows the devices again" wait_for 180 devices_known $e2e/stamp
meta_pod g rail0 1 sh -c "$show"
check "a pod with one runs" wait_for 180 pod_is g Running
kill $agent
wait $agent
remove_pod g
remove_pod f
for name in f g; do check "pod $name ends without it" wait_for 180 pod_is_gone $name; done
rm -f /run/railhead/baseline/*
check_becomes "all that stands is as before" "$before" standing

section "the program is killed in the midst of ADD and DEL"
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent3.log
check "kubelet knows the devices again" wait_for 180 devices_known $e2e/stamp
# kill_at MILLISECONDS...: each time the program has been at work for so long, with -9
kill_at() {
    local ms pid
    for ms; do
        until pid=$(pgrep -nx railhead-meta) && grep -qzx -e 'CNI_COMMAND=ADD' -e 'CNI_COMMAND=DEL' "/proc/$pid/environ" 2>/dev/null; do
            sleep .01
        done
        sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
        kill -9 "$pid" 2>/dev/null && echo "killed after $ms ms" >>$e2e/kills
        while [ -e "/proc/$pid" ]; do sleep .01; done
    done
}
: >$e2e/kills
kill_at 5 100 250 450 700 & killing=$!
meta_pod k rail0,rail1 2 sh -c "$show"
check "a pod whose ADD is killed five times runs in the end" wait_for 240 pod_is k Running
wait_for 60 eval '! kill -0 $killing' || kill $killing
kill_at 5 100 250 450 700 & killing=$!
remove_pod k
check "and ends, though its DEL is" wait_for 240 pod_is_gone k
wait_for 60 eval '! kill -0 $killing' || kill $killing
echo "($(wc -l <$e2e/kills) of 10 kills met the program at work: $(sed 's/killed after //' $e2e/kills | xargs))"
check "most kills met it" [ "$(wc -l <$e2e/kills)" -ge 5 ]
"$RAILHEAD_BIN/railhead" reconcile >/dev/null 2>&1     # a DEL after the last one is nobody's

section "containerd and the agent are killed while a pod runs"
meta_pod l rail0,rail1 2 sh -c "$show"
check "it runs" wait_for 180 pod_is l Running
kill -9 $agent
pkill -9 -x containerd
wait $agent
containerd -c $e2e/containerd.toml >>$e2e/containerd.log 2>&1 &
wait_for 180 ctr -a $containerd_socket version || die "containerd does not answer"
remove_pod l
check "it ends under the next containerd" wait_for 240 pod_is_gone l
rm -f /run/railhead/baseline/*
section "what got no DEL"
# containerd 1.6 calls none for a sandbox whose ADD was killed, and forgets one whose DEL was; libcni's own files of these stay, and the one in
# which tuning keeps what an interface was like, where its DEL comes after the namespace has gone
echo "($(ls /var/lib/railhead/pods | wc -l) sandboxes have a record still)"
reconciled() {
    said=$(CNI_PATH=$plugins "$RAILHEAD_BIN/railhead" reconcile 2>&1)
    rm -f /var/lib/cni/results/node-* /run/cni/tuning/*
    now=$(standing)
    [ "$now" = "$before" ]
}
# kubelet may take a minute to remove a dead sandbox, with whose namespace that of a chain begins whose DEL wants it (sbr): it is given up a
# minute later
wait_for 300 reconciled || printf "reconcile says: %s\n" "$said" "$("$RAILHEAD_BIN/railhead" state 2>&1)"
t_eq "is given back by reconcile, and all that stands is as before" "$before" "$now"

section "an InfiniBand pod"
kill $agent
wait $agent
clean_node
rm -f /run/railhead/baseline/*
ib_vfs pf1 2
before=$(dump_node)
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent4.log
check "kubelet knows its VFs" wait_for 180 devices_known $e2e/stamp 2
nad ib '{"cniVersion":"0.3.1","name":"ib","type":"ib-sriov","link_state":"enable","rdmaIsolation":true,"capabilities":{"infinibandGUID":true},
    "ipam":{"type":"host-local","subnet":"10.9.9.0/24"}}' rdma/vf
guid=02:00:00:00:00:00:00:11
meta_pod m '[{"name":"ib","infiniband-guid":"'$guid'"}]' 1 sh -c 'echo guid=$(busybox cat /sys/class/infiniband/*/node_guid)
    echo nodes=$(busybox ls /dev/infiniband); echo address=$(busybox ip -o -4 addr show dev net1 | busybox grep -o "inet [^ ]*"); echo done
    exec sleep 3600'
check "runs" wait_for 180 pod_is m Running
wait_for 60 finished m || not_ok "it says what it was given" "$(pod_log m)"
t_eq "its container's RDMA device, and no other, has the GUID of its annotation" 0200:0000:0000:0011 "$(given m guid)"
t_match "it has the nodes of one device" "^issm[0-9] rdma_cm umad[0-9] uverbs[0-9]$" "$(given m nodes)"
t_match "its IPoIB interface has its address" "^inet 10.9.9." "$(given m address)"
t_match "and its GUID in its status" ":$guid\$" "$(status_of m | jq -r '.[1].mac')"
remove_pod m
check "it ends" wait_for 180 pod_is_gone m
check "and leaves no record" wait_for 60 eval '[ -z "$(ls /var/lib/railhead/pods)" ]'
name_ethernet pf1
check_node_is "the node is what it was, with each device's own GUID" "$before"

real_kubelet_stop
[ -z "${RAILHEAD_SHARE:-}" ] || cp $e2e/*.log "$RAILHEAD_SHARE"
suite_done
