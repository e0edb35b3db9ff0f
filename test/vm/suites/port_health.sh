#!/bin/bash
# What a pool's `health` makes of a port that is cut off or down: cable, PF and RDMA port, with devices in the host and in pods, RoCE and
# InfiniBand, and how long a port must be well again.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../cni.sh"
. "$here/../kubelet.sh"

rdma_mode exclusive
load_tbrdma openable
pfs_up
make_vfs pf0 6
must tbrdma_add mlx5_0 pf0
for n in 3 4 5; do must tbrdma_add mlx5_1$n pf0v$n; done
make_vfs pf1 1
must tbrdma_add ib_0 pf1v0 ib
# The testbed's InfiniBand VF has an Ethernet netdev beside it; while that is up, the VF's own port is what counts.
must ip link set dev pf1v0 up
subnet_manager() { echo "$([ $1 = yes ] || echo ib_0)" >/sys/module/tbrdma/parameters/without_sm; }
mkdir -p /run/test
cat >/run/test/config.yaml <<Y
pools:
  - {resourceName: require, resourcePrefix: net, selectors: {rootDevices: ['$PF0#0-1']}, health: {link: require}}
  - {resourceName: default, resourcePrefix: net, selectors: {rootDevices: ['$PF0#2']}}
  - {resourceName: rdma, resourcePrefix: net, selectors: {rootDevices: ['$PF0#3-4'], isRdma: true}, health: {link: ignore, rdma: require}}
  - {resourceName: ignore, resourcePrefix: net, selectors: {rootDevices: ['$PF0#5'], isRdma: true}, health: {link: ignore, rdma: ignore}}
  - {resourceName: ib, resourcePrefix: net, selectors: {rootDevices: ['$PF1'], isRdma: true}, health: {link: ignore, rdma: require}}
Y
log=/run/test/agent.log
kubelet_start /run/test/kubelet
agent_start /run/test/config.yaml /run/test/kubelet /run/test/devinfo $log
check "all are healthy" kubelet wait net/require 2 90
check "those of RDMA too" kubelet wait net/rdma 2 90
check "and of InfiniBand" kubelet wait net/ib 1 90

# said TEXT RESOURCE: the reasons that the log gives for that TEXT, each once
said() { sed -nE "s#.*msg=\"$1\" resource=$2 .*reason=\"([^\"]*)\".*#\1#p" $log | sort -u; }
unhealthy='devices? [a-z]+ unhealthy' degraded='device is degraded, and offered all the same'

section a cut cable
make_netns pod0
for n in 1 4; do
    must cni ADD c$n pod0 net$n "$(cni_conf rail "$(vf_pci pf0 $n)")" >/dev/null
done
must up_with_carrier pf0v0
must pf_cable pf0 off >/dev/null
check "devices whose link is required become unhealthy, in the host and in a pod" kubelet wait net/require 0 90
t_eq "because their PF has no carrier" "its PF pf0 has no carrier" "$(said "$unhealthy" net/require)"
check "though the VF itself has carrier" wait_for 60 netdev_has_carrier pf0v0
check "devices whose RDMA port is required do too" kubelet wait net/rdma 0 90
t_eq "because the PF's port is not active" "port 1 of mlx5_0 is not active" "$(said "$unhealthy" net/rdma)"
let_agent_look
t_eq "without settings a device is healthy" 1 "$(kubelet resources | jq '[.["net/default"][] | select(.healthy)] | length')"
t_eq "and the log says what is wrong with it" "its PF pf0 has no carrier" "$(said "$degraded" net/default)"
t_eq "with ignore it is healthy too" 1 "$(kubelet resources | jq '[.["net/ignore"][] | select(.healthy)] | length')"
t_eq "and not a word is lost on it" "" "$(grep 'resource=net/ignore' $log | grep -E 'unhealthy|degraded')"
# All of pf0's events were looked at by now: only a poll can tell of this.
subnet_manager no
check "an InfiniBand VF whose own port is not active does, though no event tells" kubelet wait net/ib 0 90
t_eq "because of that" "port 1 of ib_0 is not active" "$(said "$unhealthy" net/ib)"
kubelet_ask allocate ns/a main net/default 1
t_match "a pod gets a device that is degraded" '"envs"' "$REPLY"

section a port that comes back
must pf_cable pf0 on >/dev/null
wait_for 60 netdev_has_carrier pf0 || die "pf0 did not get its carrier back"
sleep 4
check "in the first seconds its devices stay unhealthy" kubelet wait net/require 0 0
warnings() { grep -c "\"$degraded\" resource=net/default " $log; }
warned=$(warnings)
must pf_cable pf0 off >/dev/null
wait_for 60 eval '[ "$(warnings)" -gt $warned ]' || die "the agent does not see that the cable is cut again"
again=$SECONDS
must pf_cable pf0 on >/dev/null
check "they are healthy again" kubelet wait net/require 2 90
check "ten seconds after the port came back for good, not the first time" test $((SECONDS - again)) -ge 9
check "the RDMA port's too" kubelet wait net/rdma 2 90
subnet_manager yes
check "and the InfiniBand VF's, in its time" kubelet wait net/ib 1 90
# Those of one PF that come back in one round are told of in one line, one alone in its own.
check "and the log says so" grep -qE 'devices? (is|are) healthy again.* resource="?([^ ]*,)?net/require' $log

section a PF that is down
must ip link set dev pf0 down
check "its devices are unhealthy" kubelet wait net/require 0 90
t_match "because it is down" "its PF pf0 is down" "$(said "$unhealthy" net/require)"
check "and so is what needs its RDMA port" kubelet wait net/rdma 0 90
must ip link set dev pf0 up
check "when it is up they are healthy" kubelet wait net/require 2 90
check "the RDMA port's too" kubelet wait net/rdma 2 90

for n in 1 4; do check "DEL of VF $n" cni DEL c$n pod0 net$n "$(cni_conf rail "$(vf_pci pf0 $n)")"; done

section "an InfiniBand VF whose only netdev is IPoIB's"
# As of a real one: the testbed's Ethernet netdevs beside it, and beside its PF's, go out of sight.
must modprobe ib_ipoib
must tbrdma_add ib_9 pf1 ib
vf=$(vf_pci pf1 0)
for function in "$PF1" "$vf"; do wait_for 60 pci_netdev "$function" 32 || die "IPoIB makes no netdev on $function"; done
make_netns aside
for netdev in pf1v0 pf1; do must ip link set dev $netdev netns aside; done
sed '/resourceName: ib,/s/link: ignore/link: require/' /run/test/config.yaml >/run/test/.config.yaml
mv /run/test/.config.yaml /run/test/config.yaml
check "its pool requires link and RDMA port from now on" wait_for 60 grep -q 'msg="configuration reloaded"' $log
let_agent_look
t_eq "it has that netdev alone" "$(pci_netdev "$vf" 32)" \
    "$("$RAILHEAD_BIN/railhead-agent" inventory --json | jq -r --arg a "$vf" '[.. | objects | select(.address? == $a).netdevs[].name] | join(" ")')"
check_fails "which is down, as its PF's is" "^$" eval 'ip -o link show up type ipoib | grep .'
check "it is healthy all the same" kubelet wait net/ib 1 0
subnet_manager no
check "when its own port is not active it is not" kubelet wait net/ib 0 90
conf=$(cni_conf ib "$vf" '"rdmaIsolation":true' | jq -c '.type = "ib-sriov"')
check "ADD" cni ADD c9 pod0 net9 "$conf"
check "in a pod, where its own port is not seen, its PF's counts" kubelet wait net/ib 1 90
echo ib_9 >/sys/module/tbrdma/parameters/without_link
check "when that has no link the VF is unhealthy" kubelet wait net/ib 0 90
t_match "because of that" "port 1 of ib_9 has no link" "$(said "$unhealthy" net/ib)"
check "DEL" cni DEL c9 pod0 net9 "$conf"
kill $agent
wait $agent
t_eq "SIGTERM ends the agent with code 0" 0 $?
suite_done
