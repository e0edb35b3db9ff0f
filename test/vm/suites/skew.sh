# Records of one version in the hands of another: what the program of before the meta plugin attached is given back by this one, and the
# other way round, as in an upgrade and on the way back from it.
# needs: RAILHEAD_FORMER test/setup/former
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"

if [ "$RAILHEAD_FORMER" = none ]; then
    skip "records of another version" "this clone has not the whole history to build its program from"
    suite_done
fi
rdma_mode exclusive
four_rdma_vfs
vf=$(vf_pci pf0 0)
make_netns pod0
before=$(dump_node)
former=$RAILHEAD_FORMER/railhead now=$RAILHEAD_BIN/railhead
# by PROGRAM VERB CONF
by() {
    CNI_COMMAND=$2 CNI_CONTAINERID=c0 CNI_NETNS=/run/netns/pod0 CNI_IFNAME=net1 CNI_PATH=$cni_path CNI_ARGS= "$1" <<<"$3"
}
settings='"vlan":100,"mac":"52:54:00:aa:bb:01","trust":"on","mtu":1400,"ipam":{"type":"host-local","subnet":"10.9.0.0/24"}'
for kind in railhead host-device; do
    conf=$(cni_conf rail "$vf" "$settings" | jq -c --arg type $kind '.type = $type | if $type == "host-device" then del(.vlan, .mac, .trust, .mtu) else . end')
    for pair in "former now" "now former"; do
        read -r first second <<<"$pair"
        check "$kind: the $first program attaches" by "${!first}" ADD "$conf"
        check "$kind: the $second one finds it right" by "${!second}" CHECK "$conf"
        check "$kind: and gives it back" by "${!second}" DEL "$conf"
        check_node_is "$kind, $first to $second: the node is what it was" "$before"
        t_eq "$kind, $first to $second: no record is left" "" "$(ls /run/railhead/attachments /run/railhead/devices | grep -v -e : -e '^$')"
    done
    check "$kind: the former program attaches once more" by "$former" ADD "$conf"
    ip netns delete pod0
    wait_for 10 pci_netdev "$vf"
    check "$kind: and reconcile of this one gives back what lost its pod" "$now" reconcile
    make_netns pod0
    check_node_is "$kind, reconciled: the node is what it was" "$before"
done
suite_done
