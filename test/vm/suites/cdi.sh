#!/bin/bash
# The agent's CDI specs in the hands of programs that read them: podman, and a kubelet with containerd that has the names from
# annotations. What counts is what is there inside the container.
# needs: RAILHEAD_E2E test/e2e/prepare
# needs: RAILHEAD_CDI test/e2e/prepare-cdi
# vm-options: --timeout 2400 --memory 2700
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../real-kubelet.sh"
. "$here/../kubelet.sh"
. "$here/../meta.sh"

rdma_mode shared
four_rdma_vfs
vfs=$(for pf in pf0 pf1; do vf_pci $pf 0; vf_pci $pf 1; done)
mkdir -p $e2e $kubelet_dir
cat >$e2e/config.json <<'J'
{"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                   "selectors": {"drivers": ["igbvf"], "isRdma": true}}]}
J
# a mode that no driver gives
chmod 0640 "/dev/infiniband/$(ls "$pci_dir/$(vf_pci pf0 1)/infiniband_verbs")"

# said by a container of what is in it: each node with mode and numbers, its environment, whether a node can be opened, and "done"
show='for n in /dev/infiniband/*; do stat -c "node=%n %a %t:%T" $n; done
      for n in /dev/infiniband/uverbs*; do (exec 3<>$n) && echo opened=$n; done
      env | sed -n "s/^PCIDEVICE_RDMA_VF=/env=/p"; echo done'
# nodes_of PCI...: the same of the host's, for the VFs' nodes and the one that all share
nodes_of() {
    local vf path
    for vf; do
        for path in "$pci_dir/$vf"/infiniband_{verbs,mad}/*; do stat -c "%n %a %t:%T" "/dev/infiniband/${path##*/}"; done
    done
    stat -c "%n %a %t:%T" /dev/infiniband/rdma_cm
}
# check_inside TEXT: what a container with two VFs, those of its environment, has said
check_inside() {
    local devices
    devices=$(sed -n 's/^env=//p' <<<"$1" | tr , '\n')
    t_eq "the environment names two VFs" 2 "$(comm -12 <(sort <<<"$devices") <(sort <<<"$vfs") | wc -l)"
    t_eq "it has their nodes and no others, with the host's modes and numbers" "$(nodes_of $devices | sort)" \
        "$(sed -n 's/^node=//p' <<<"$1" | sort)"
    t_eq "and can open them" 2 "$(grep -c '^opened=/dev/infiniband/uverbs' <<<"$1")"
}

section podman
kubelet_start $e2e/stand-in
agent_start $e2e/config.json $e2e/stand-in $e2e/devinfo $e2e/agent.log --use-cdi
check "the agent offers four VFs" kubelet wait rdma/vf 4 90
answer=$(kubelet allocate ns/a main rdma/vf "$(vf_pci pf0 1),$(vf_pci pf1 0)")
t_eq "an allocation names them for CDI" "rdma/vf=$(vf_pci pf0 1) rdma/vf=$(vf_pci pf1 0)" "$(jq -r '.cdi_devices[]' <<<"$answer" | xargs)"
t_eq "and gives no nodes beside" "[]" "$(jq -c .devices <<<"$answer")"
# As a kubelet and its runtime, podman gets names and environment from the allocation, and all else from the spec.
mapfile -t options < <(jq -r '(.cdi_devices[] | "--device", .), (.envs | to_entries[] | "--env", "\(.key)=\(.value)")' <<<"$answer")
must mount -t overlay -o "ro,lowerdir=$RAILHEAD_CDI/podman/usr:/usr" podman /usr
cp -r "$RAILHEAD_CDI/podman/etc/." /etc/
mkdir -p /var/lib/containers
must mount -t tmpfs containers /var/lib/containers       # an overlay, as the guest's root, cannot carry another one's changes
podman() { command podman --cgroup-manager=cgroupfs "$@"; }
image_archive $e2e/image localhost/busybox:1 "$runtime/bin/busybox" bin/busybox
must podman load -qi $e2e/image/image.tar
in_podman() { podman run --rm --network=none "$@"; }
inside=$(in_podman "${options[@]}" localhost/busybox:1 sh -c "$show" 2>&1)
grep -qx done <<<"$inside" || not_ok "a container runs" "$inside"
check_inside "$inside"
check_fails "a VF that is none of the resource's is unknown to it" "unresolvable CDI devices rdma/vf=0000:ff:00.0" \
    in_podman --device rdma/vf=0000:ff:00.0 localhost/busybox:1 sh -c true
umount -l /usr
kill $agent
wait $agent

section "kubelet 1.20 and containerd 1.7, by annotations"
meta_node_start "$RAILHEAD_CDI/containerd"
t_match "this is containerd 1.7" " v?1\.7\." "$(containerd --version)"
real_kubelet_start
touch $e2e/stamp
agent_start $e2e/config.json $kubelet_dir $e2e/devinfo $e2e/agent2.log --use-cdi --cdi-annotations
check "the agent is registered" wait_for 180 registered $e2e/agent2.log 1
check "and kubelet knows its devices" wait_for 120 devices_known $e2e/stamp
meta_conflist
# The first pod makes the bridge, for good, which makes forwarders of all interfaces that there are.
meta_pod first '' 0 sh -c 'exec sleep 3600'
check "a pod that asks for no network runs" wait_for 180 pod_is first Running
remove_pod first
check "it ends" wait_for 180 pod_is_gone first
check "and leaves no record" wait_for 60 eval '[ -z "$(ls /var/lib/railhead/pods)" ]'
pod a '{"rdma/vf": "2"}' sh -c "$show; exec sleep 3600"
check "a pod with two VFs runs" wait_for 180 pod_is a Running
wait_for 60 finished a || not_ok "it says what it was given" "$(pod_log a)"
check_inside "$(pod_log a)"
remove_pod a
check "it ends" wait_for 180 pod_is_gone a

section "the meta plugin under containerd 1.7"
nad rail '{"cniVersion":"1.0.0","name":"rail","type":"sriov","vlan":100,"ipam":{"type":"host-local","subnet":"10.9.0.0/24"}}' rdma/vf
standing() { "$RAILHEAD_BIN/vm_dump_node" | grep -v -e cni0 -e '^sysctl.* veth'; ls /run/railhead/pods /var/lib/railhead/pods; }
rm -f /run/railhead/baseline/*
before=$(standing)
meta_pod b rail,rail@second 2 sh -c "$show; exec sleep 3600"
check "a pod with a cluster network and two VFs runs" wait_for 180 pod_is b Running
t_eq "its namespace has three interfaces" "eth0 net1 second" \
    "$(ip -n "$(netns_of b)" -j link | jq -r '[.[].ifname | select(. != "lo")] | sort | join(" ")')"
check_inside "$(wait_for 60 finished b; pod_log b)"
remove_pod b
check "it ends" wait_for 180 pod_is_gone b
rm -f /run/railhead/baseline/*
check_becomes "all that stands is as before" "$before" standing
kill $agent
wait $agent
t_eq "the agent ends well" 0 $?
real_kubelet_stop
[ -z "${RAILHEAD_SHARE:-}" ] || cp $e2e/*.log "$RAILHEAD_SHARE"
suite_done
