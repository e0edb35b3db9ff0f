# The CNI binary with RDMA in shared mode: a VF's settings set and restored, the rules of DEL, and
# the ways in which ADD must fail without leaving anything behind.
# vm-options: --timeout 2400
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"

rdma_mode shared
load_tbrdma
pfs_up
make_vfs pf0 2
make_vfs pf1 1
must tbrdma_add mlx5_0 pf0v0
vf=$(vf_pci pf0 0)
other=$(vf_pci pf0 1)
before=$(dump_node)
records=/run/railhead/attachments

# field NETWORK-RESULT FILTER
field() { jq -r "$2" <<<"$1" 2>/dev/null; }
vf_line() { ip -d link show dev pf0 | grep -E "^ *vf $1 "; }
dump_but_namespaces() { dump_node | grep -v ^namespaces:; }
nothing_left() { [ -z "$(ls $records 2>/dev/null)$(ls /run/railhead/devices 2>/dev/null)" ]; }

section a VF with all its settings
make_netns pod0
settings='"vlan":100,"vlanQoS":3,"mac":"52:54:00:aa:bb:01","spoofchk":"off","trust":"on","max_tx_rate":500,"mtu":1400'
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")")
t_eq "ADD prints the interface with its MAC" "net1 52:54:00:aa:bb:01 /run/netns/pod0" \
    "$(field "$result" '.interfaces[0] | "\(.name) \(.mac) \(.sandbox)"')"
t_match "the VLAN and its QoS are set" "vlan 100, qos 3" "$(vf_line 0)"
t_match "the admin MAC is set" "52:54:00:aa:bb:01" "$(vf_line 0)"
t_match "spoofchk is off and trust is on" "spoof checking off.*trust on" "$(vf_line 0)"
t_match "the rate is set" "500Mbps|500 \(Mbps\)" "$(vf_line 0)"
t_match "MAC, MTU and up in the pod" "UP.* mtu 1400 .*52:54:00:aa:bb:01" \
    "$(ip -n pod0 -o link show dev net1)"
check "CHECK finds all as it was asked" cni CHECK c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip -n pod0 link set dev net1 down
check_fails "CHECK finds an interface that is down" "net1 is down" \
    cni CHECK c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip -n pod0 link set dev net1 name eth7
must ip -n pod0 link add net1 up type dummy
check_fails "CHECK finds an interface of that name that is not the VF" "net1 is no PCI device" \
    cni CHECK c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip -n pod0 link del net1
must ip -n pod0 link set dev eth7 name net1 up
must ip link set dev pf0 vf 0 vlan 7
check_fails "CHECK finds a VLAN that somebody changed" "vlan is 7.*not 100" \
    cni CHECK c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
check "DEL succeeds" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
check "DEL twice is not an error" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip netns delete pod0
check_node_is "after DEL the node is what it was" "$before"
check "no record is left" nothing_left
make_netns pod0
check "ADD again" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
check_fails "DEL with a configuration that is refused says why" 'ipam: expected an object' \
    cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" '"ipam":7,"dns":7')"
must ip netns delete pod0
check_node_is "and gives the VF back all the same" "$before"

section a VF that was up, with an own MTU, sysctl and alternative name
must ip link set dev pf0v0 mtu 1300 up
must ip link property add dev pf0v0 altname rail0-custom
echo 2 >/proc/sys/net/ipv4/conf/pf0v0/rp_filter
echo 0 >/proc/sys/net/ipv6/conf/pf0v0/accept_ra
# the VF is up: its carrier, what follows it and its own addresses come when they come, if at all
dump_of_vf_up() {
    dump_node | sed -E 's/,LOWER_UP//; s/<NO-CARRIER,/</; s/ state (UP|DOWN|UNKNOWN|ACTIVE) / /; s/ physical_state [A-Z_]+//
                        /inet6/d; /\/ports\/[0-9]+\/state=/d'
}
custom=$(dump_of_vf_up)
make_netns pod0
check "ADD of it" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" '"mtu":1500')"
check "DEL of it" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" '"mtu":1500')"
must ip netns delete pod0
check_becomes "MTU, name, sysctls and up are back" "$custom" dump_of_vf_up
must ip link property del dev pf0v0 altname rail0-custom
must ip link set dev pf0v0 down mtu 1500
echo 0 >/proc/sys/net/ipv4/conf/pf0v0/rp_filter
echo 1 >/proc/sys/net/ipv6/conf/pf0v0/accept_ra
check_node_is "the suite's own changes are taken back" "$before"

section an alternative name that the pod wants
must ip link property add dev pf0v0 altname net1
make_netns pod0
check "ADD takes its own alternative name as the name" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")"
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
t_match "the alternative name is back" "altname net1" "$(ip link show dev pf0v0)"
must ip link property del dev pf0v0 altname net1
must ip netns delete pod0

section a pod that changed its VF
for gone in no yes; do
    make_netns pod0
    check "ADD" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")"
    must ip -n pod0 link set dev net1 down
    must ip -n pod0 link set dev net1 name eth7 mtu 1280
    # its own name in the host, another netdev's there, and one that the next pod may want
    for name in pf0v0 pf0v1 eth0; do must ip -n pod0 link property add dev eth7 altname $name; done
    [ $gone = no ] || must ip netns delete pod0
    check "DEL (its namespace gone: $gone)" cni DEL c0 "$([ $gone = yes ] || echo pod0)" net1 "$(cni_conf rail "$vf")"
    [ $gone = yes ] || must ip netns delete pod0
    check_node_is "the VF is what it was" "$before"
done

section a VF whose MAC its PF has not set
# What igb tells of it, zeros or the VF's own, changes with each reset: that is left out, the VF's own MAC is not
without_vf0_mac() { dump_node | sed -E "s|(vf 0 +link/ether) [0-9a-f:]+|\\1|"; }
must ip link set dev pf0 vf 0 mac 00:00:00:00:00:00
unset_mac=$(without_vf0_mac)
make_netns pod0
check "ADD sets one" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
t_match "it is set" "52:54:00:aa:bb:01" "$(vf_line 0)"
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip netns delete pod0
check_becomes "all is back, the VF's own MAC too" "$unset_mac" without_vf0_mac
t_match "the PF lists the VF" "vf 0 " "$(vf_line 0)"
check_fails "the pod's MAC is gone from the PF" "" grep 52:54:00:aa:bb:01 <<<"$(vf_line 0)"
must ip link set dev pf0 vf 0 mac 52:54:00:00:00:20
check_node_is "with the MAC set again the node is what it was" "$before"

section a VF that is reset
# What nothing else takes away: what the pod set of its queues and offloads, and a link on the VF in a namespace nested in its own.
made_anew() { [ "$(cat /sys/class/net/pf0v1/ifindex)" != "$index" ]; }
kept() { ip -d -j link show dev pf0v1 | jq -c '.[0] | [.txqlen, .gso_max_size, .gso_max_segs]'; }
own=$(kept)
for gone in no yes; do
    index=$(cat /sys/class/net/pf0v1/ifindex)
    make_netns pod0 nested
    check "ADD" cni ADD c0 pod0 net1 "$(cni_conf rail "$other" "$settings,\"reset\":true")"
    must ip -n pod0 link set dev net1 txqueuelen 77 gso_max_size 30000 gso_max_segs 7
    must ip -n pod0 link add link net1 name vlan9 netns nested type vlan id 9
    if [ $gone = yes ]; then
        must ip netns delete pod0
        must ip netns delete nested
    fi
    check "DEL (its namespace gone: $gone)" cni DEL c0 "$([ $gone = yes ] || echo pod0)" net1 \
        "$(cni_conf rail "$other" "$settings,\"reset\":true")"
    t_eq "what it set is what it was" "$own" "$(kept)"
    check "by a netdev that was made anew" made_anew
    if [ $gone = no ]; then
        check_fails "the link in the nested namespace went with the old one" "" ip -n nested link show dev vlan9
        must ip netns delete pod0
        must ip netns delete nested
    fi
    check_node_is "the node is what it was" "$before"
    check "no record is left" nothing_left
done
# As a DEL leaves it that was killed while the driver was off.
make_netns pod0
check "ADD" cni ADD c0 pod0 net1 "$(cni_conf rail "$other" "$settings,\"reset\":true")"
must ip netns delete pod0
record=$(ls $records/*.json)
must jq '.reset = "begun"' "$record" >/run/test-record && must cp /run/test-record "$record"
wait_for 60 pci_netdev "$other"
echo "$other" >/sys/bus/pci/drivers/igbvf/unbind
check "reconcile takes up a reset that was cut off" "$RAILHEAD_BIN/railhead" reconcile
check "the VF has its driver again" [ -e "/sys/bus/pci/drivers/igbvf/$other" ]
check_node_is "and the node is what it was" "$before"
check "no record is left of it" nothing_left

section a namespace that vanished
make_netns pod0
check "ADD" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip netns delete pod0
check "DEL after the namespace was deleted" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
check_node_is "name, MAC, MTU and VLAN are back" "$before"
make_netns pod0
check "ADD again" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip netns delete pod0
check "DEL with an empty CNI_NETNS" cni DEL c0 '' net1 "$(cni_conf rail "$vf" "$settings")"
check_node_is "and all is back" "$before"
make_netns pod0 pod1
check "ADD whose DEL never comes" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
must ip netns delete pod0
check "the next ADD of the VF takes the undo up" cni ADD c1 pod1 net1 "$(cni_conf rail "$vf")"
t_match "the PF still lists the VF" "vf 0 " "$(vf_line 0)"
t_eq "and finds no VLAN of the old pod" "" "$(vf_line 0 | grep vlan)"
check "the late DEL of the old pod succeeds" cni DEL c0 '' net1 "$(cni_conf rail "$vf" "$settings")"
check "and leaves the new pod its VF" ip -n pod1 link show dev net1
check "DEL of the new pod" cni DEL c1 pod1 net1 "$(cni_conf rail "$vf")"
must ip netns delete pod1
check_node_is "and all is back after both" "$before"
check "no record is left after all that" nothing_left

section a VF that is held
make_netns pod0 pod1
check "the first ADD" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")"
check_fails "a second ADD is refused and names the holder" 'held by net1 of container c0' \
    cni ADD c1 pod1 net1 "$(cni_conf rail "$vf")"
check "the refused container's DEL succeeds" cni DEL c1 pod1 net1 "$(cni_conf rail "$vf")"
check "the holder still has the VF" ip -n pod0 link show dev net1
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
for round in 1 2 3 4 5; do
    for n in 0 1; do
        cni ADD c$n pod$n net1 "$(cni_conf rail "$vf")" >/tmp/add$n 2>&1 &
        eval "add$n=\$!"
    done
    wait $add0; code0=$?
    wait $add1; code1=$?
    t_eq "of two concurrent ADDs one wins (round $round)" 1 $((code0 + code1))
    if [ $code0 = 0 ]; then winner=0 loser=1; else winner=1 loser=0; fi
    t_match "the other is told who holds it (round $round)" "held by net1 of container c$winner" "$(cat /tmp/add$loser)"
    check "the winner's DEL (round $round)" cni DEL c$winner pod$winner net1 "$(cni_conf rail "$vf")"
done
check_becomes "and the node is what it was, but for the two namespaces" "$(grep -v ^namespaces: <<<"$before")" dump_but_namespaces

section a DEL that races the ADD of the next pod
# The old pod's namespace is gone in every other round: then the ADD takes up its undo if it comes
# first, and must succeed in any case. While it stands, the ADD may come too early and be refused.
# Its own MTU and VLAN would not survive a DEL that takes the VF for the old pod's.
next='"vlan":55,"mtu":1350' late=0 refused=0 wrong=
for round in {1..20}; do
    make_netns old new
    cni ADD c0 old net1 "$(cni_conf rail "$vf" "$settings")" >/tmp/old 2>&1 || wrong+="round $round: the first ADD: $(cat /tmp/old); "
    netns=old
    [ $((round % 2)) = 0 ] || { netns=; must ip netns delete old; }
    add= del=
    for verb in $([ $((round % 4)) -lt 2 ] && echo add del || echo del add); do
        if [ $verb = add ]; then
            cni ADD c1 new net1 "$(cni_conf rail "$vf" "$next")" >/tmp/new 2>&1 &
            add=$!
        else
            cni DEL c0 "$netns" net1 "$(cni_conf rail "$vf" "$settings")" >/tmp/del 2>&1 &
            del=$!
        fi
    done
    wait $del || wrong+="round $round: the DEL: $(cat /tmp/del); "
    wait $add && attached=1 || attached=
    cni DEL c0 "$netns" net1 "$(cni_conf rail "$vf" "$settings")" >/dev/null 2>&1 || wrong+="round $round: the second DEL; "
    if [ -n "$attached" ]; then
        late=$((late + 1))
        vf_line 0 | grep -q 'vlan 55' && ip -n new link show dev net1 | grep -q 'UP.* mtu 1350' ||
            wrong+="round $round: the new pod's VF was touched; "
        cni CHECK c1 new net1 "$(cni_conf rail "$vf" "$next")" >/tmp/check 2>&1 ||
            wrong+="round $round: $(cat /tmp/check); "
    else
        refused=$((refused + 1))
        [ -n "$netns" ] && grep -q 'held by net1 of container c0' /tmp/new || wrong+="round $round: $(cat /tmp/new); "
    fi
    cni DEL c1 new net1 "$(cni_conf rail "$vf" "$next")" >/dev/null 2>&1 || wrong+="round $round: the new pod's DEL; "
    [ -z "$netns" ] || must ip netns delete old
    must ip netns delete new
    nothing_left || wrong+="round $round: a record is left; "
done
t_eq "in 20 rounds no DEL touched the next pod's VF ($late ADDs took it, $refused were refused)" "" "$wrong"
check_becomes "and the node is what it was then too" "$(grep -v ^namespaces: <<<"$before")" dump_but_namespaces

section a name that is taken in the pod
must ip -n pod0 link add net1 type dummy
check_fails "ADD is refused when the name is taken" 'net1 is already taken' \
    cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
check_becomes "nothing was changed" "$(grep -v ^namespaces: <<<"$before")" dump_but_namespaces
must ip -n pod0 link add pf0v0 type dummy
check_fails "and when the VF's own name is taken there too" 'net1 is already taken' \
    cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings")"
check_becomes "nothing was changed then either" "$(grep -v ^namespaces: <<<"$before")" dump_but_namespaces
must ip -n pod0 link del net1
check "with only the VF's own name taken the ADD succeeds" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")"
check "and its DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
must ip netns delete pod0
must ip netns delete pod1
check_node_is "and the node is what it was" "$before"

section a setting that the driver refuses
make_netns pod0
check_fails "link_state on igb is refused, the setting is named" 'failed to set link_state enable' \
    cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings,\"link_state\":\"enable\"")"
check_fails "min_tx_rate on igb too" 'failed to set vf 0 min_tx_rate to 100 Mbps: max_tx_rate to 500 Mbps: ' \
    cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$settings,\"min_tx_rate\":100")"
check_fails "an MTU that is too large too" 'mtu|MTU|Invalid argument' \
    cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" '"mtu":60000')"
must ip netns delete pod0
check_node_is "nothing is left of them" "$before"
check "no record is left of them" nothing_left

section IPAM
make_netns pod0
ipam='"ipamDirs":["/run/ipam"],"ipam":{"type":"host-local","subnet":"10.9.0.0/24","routes":[{"dst":"10.99.0.0/16"}],"dataDir":"/run/ipam"}'
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$ipam")")
t_eq "the address of host-local is in the result" "10.9.0.2/24 0" "$(field "$result" '.ips[0] | "\(.address) \(.interface)"')"
t_match "and on the interface" "10.9.0.2/24" "$(ip -n pod0 -4 -o addr show dev net1)"
t_match "its route too" "10.99.0.0/16 via 10.9.0.1 dev net1" "$(ip -n pod0 route)"
checked=$(cni_conf rail "$vf" "$ipam,\"prevResult\":$result")
check "CHECK finds address and route" cni CHECK c0 pod0 net1 "$checked"
must ip -n pod0 route del 10.99.0.0/16
check_fails "CHECK misses a route that is gone" 'lost its route to 10.99.0.0/16 via 10.9.0.1' \
    cni CHECK c0 pod0 net1 "$checked"
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$ipam")"
t_eq "the address is given back" "" "$(ls /run/ipam/rail | grep -E '^10')"
static='"ipam":{"type":"static","addresses":[{"address":"10.9.1.5/24"},{"address":"fd00:9::5/64"}]}'
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$static")")
# Looking for duplicates takes more than a second: the address is still tentative then.
check "a program can bind to the IPv6 address of static at once" \
    ip netns exec pod0 ping -6 -c 1 -W 60 -I fd00:9::5 fd00:9::5
addresses=$(ip -n pod0 -o addr show dev net1)
t_match "IPv4 of static" "10.9.1.5/24" "$addresses"
t_match "IPv6 of static" "fd00:9::5/64" "$addresses"
check_fails "which is optimistic while it is tentative" "" grep -E "fd00:9::5/64 .*tentative" <<<"${addresses//optimistic tentative/optimistic}"
check "DEL of static" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$static")"
missing='"ipam":{"type":"no-such-plugin"}'
check_fails "an IPAM plugin that is missing is named" 'no-such-plugin' \
    cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$missing")"
must ip netns delete pod0
check_node_is "and nothing is left" "$before"
for cni_version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
    make_netns pod0
    result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf" "$ipam")")
    case $cni_version in 0.[12].0) address=.ip4.ip ;; *) address=.ips[0].address ;; esac
    t_match "ADD answers in version $cni_version" "^$cni_version 10.9.0.[0-9]+/24$" "$(field "$result" "\"\(.cniVersion) \($address)\"")"
    check "DEL in version $cni_version" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf" "$ipam")"
    must ip netns delete pod0
done
# Debian 12's IPAM plugins do not know version 1.1.0; without IPAM it is ours alone.
cni_version=1.1.0
make_netns pod0
result=$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")")
t_eq "ADD answers in version 1.1.0, with MTU and PCI address" "1.1.0 1500 $vf" \
    "$(field "$result" '"\(.cniVersion) \(.interfaces[0] | "\(.mtu) \(.pciID)")"')"
check "DEL in version 1.1.0" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
must ip netns delete pod0

section under the name of sriov-cni
mkdir -p /run/test
must cp "$RAILHEAD_BIN/railhead" /run/test/sriov
make_netns pod0
# As Multus calls it: type sriov, more arguments than are known, a MAC in both places.
sriov() {
    CNI_COMMAND=$1 CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=/run/test:/usr/lib/cni \
        CNI_ARGS='IgnoreUnknown=true;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=a;MAC=52:54:00:aa:bb:02' /run/test/sriov <<J
{"cniVersion":"0.3.1","name":"rail","type":"sriov","deviceID":"$vf","pciBusID":"$vf","vlan":0,"SPOOFCHK":"off",
 "capabilities":{"mac":true},"runtimeConfig":{"mac":"52:54:00:aa:bb:03"},"ipam":{}}
J
}
check "ADD" sriov ADD
t_match "runtimeConfig's MAC goes before that of CNI_ARGS" "52:54:00:aa:bb:03" "$(ip -n pod0 -o link show dev net1)"
t_match "keys are read in any case" "spoof checking off" "$(vf_line 0)"
check_fails "the holder is named with its pod" 'pod ns/a' \
    cni ADD c1 pod0 net2 "$(cni_conf rail "$vf")"
check "DEL" sriov DEL
must ip netns delete pod0
check_node_is "and all is back" "$before"

section a pod that sriov-cni attached
# What sriov-cni does, by hand, with what it writes; then the program under its name is ours.
theirs=/var/lib/cni/sriov
mkdir -p $theirs/pci
taken() { [ ! -e $theirs/c0-net1 ] && [ -e $theirs/c0-net1.taken ] && [ -e "$theirs/pci/$vf.taken" ]; }
for gone in no yes; do
    make_netns pod0
    rm -f $theirs/*.taken $theirs/pci/*.taken
    jq -n --arg vf "$vf" --arg mac "$(cat /sys/class/net/pf0v0/address)" \
        --argjson state "$(ip -j -d link show dev pf0 | jq '.[0].vfinfo_list[] | select(.vf == 0)')" \
        '{cniVersion: "0.3.1", name: "rail", type: "sriov", ipam: {}, dns: {},
          OrigVfState: {HostIFName: "pf0v0", SpoofChk: $state.spoofchk, Trust: $state.trust, AdminMAC: $state.address,
                        EffectiveMAC: $mac, Vlan: 0, VlanQoS: 0, VlanProto: 33024, MinTxRate: 0, MaxTxRate: 0, LinkState: 0,
                        MTU: 1500},
          Master: "pf0", MAC: "52:54:00:aa:bb:02", vlan: 100, vlanQoS: 3, deviceID: $vf, VFID: 0, trust: "on"}' >$theirs/c0-net1
    printf /run/netns/pod0 >"$theirs/pci/$vf"
    must ip link set dev pf0 vf 0 vlan 100 qos 3
    must ip link set dev pf0 vf 0 mac 52:54:00:aa:bb:02
    must ip link set dev pf0 vf 0 trust on
    must ip link set dev pf0v0 netns pod0 name net1
    must ip -n pod0 link set dev net1 up
    if [ $gone = no ]; then
        check_fails "ADD of another pod is refused while its namespace lives" "held by a pod that sriov-cni attached" \
            cni ADD c1 pod0 net2 "$(cni_conf rail "$vf")"
    else
        must ip netns delete pod0
    fi
    check "our DEL of it (its namespace gone: $gone)" sriov DEL
    [ $gone = yes ] || must ip netns delete pod0
    check "sriov-cni's files are set aside" taken
    check_node_is "the VF is what it was" "$before"
done
make_netns pod0
check "the next pod gets it" cni ADD c1 pod0 net1 "$(cni_conf rail "$vf")"
check_fails "without a VLAN" "" grep "vlan 100" <<<"$(vf_line 0)"
check "and gives it back" cni DEL c1 pod0 net1 "$(cni_conf rail "$vf")"
must ip netns delete pod0
rm -r $theirs

section a NIC that host-device attached
make_netns pod0
must ip link set dev pf0v1 netns pod0 name net1
must ip -n pod0 link set dev net1 alias pf0v1 up
check "our DEL of it" cni DEL c0 pod0 net1 "$(cni_conf rail "$other" | jq -c '.type = "host-device"')"
must ip netns delete pod0
check_node_is "it has its name again, and no alias" "$before"

section an InfiniBand VF whose PF is none
must tbrdma_add mlx5_9 pf0v1 ib
must modprobe ib_ipoib
wait_for 60 pci_netdev "$other" 32 || die "the VF got no IPoIB netdev"
make_netns pod0
check_fails "is refused, and its PF named" "none of $(pf_pci pf0)'s is an IPoIB one" \
    cni ADD c0 pod0 net1 "$(cni_conf rail "$other")"
check "no record is left of it" nothing_left
must rdma link delete mlx5_9
must modprobe -r ib_ipoib
must ip netns delete pod0
check_node_is "the node is what it was" "$before"

section PF down
must ip link set dev pf0 down
make_netns pod0
check "ADD with the PF down attaches" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")"
check "DEL" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
t_match "and says so" "PF pf0 .*is down" "$(cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")" 2>&1)"
check "DEL again" cni DEL c0 pod0 net1 "$(cni_conf rail "$vf")"
must ip netns delete pod0
must ip link set dev pf0 up
wait_for 60 netdev_has_carrier pf0
check_node_is "and all is back" "$before"

section GC and STATUS
make_netns pod0 pod1
check "an attachment" cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")"
check "another" cni ADD c1 pod1 net1 "$(cni_conf rail "$other")"
check "GC with one of them valid" cni GC '' '' '' \
    "$(cni_conf rail "$vf" '"cni.dev/valid-attachments":[{"containerID":"c1","ifname":"net1"}]')"
check "the other is back in the host" ip link show dev pf0v0
check "the valid one is not touched" ip -n pod1 link show dev net1
check "its DEL" cni DEL c1 pod1 net1 "$(cni_conf rail "$other")"
check "STATUS" cni STATUS '' '' '' "$(cni_conf rail "$vf")"
must mount -t tmpfs -o ro none /run/railhead
check_fails "STATUS fails when no record can be written" '"code": *50' cni STATUS '' '' '' "$(cni_conf rail "$vf")"
check_fails "and so does ADD" 'Read-only' cni ADD c0 pod0 net1 "$(cni_conf rail "$vf")"
must umount /run/railhead
must ip netns delete pod0
must ip netns delete pod1
check_node_is "the node is what it was" "$before"

suite_done
