#!/bin/bash
# An agent that starts before the RDMA subsystem is loaded, with the one capability that the manifests give it, follows it all the same.
here=$(dirname "$(realpath "$0")")
. "$here/../fixture.sh"
. "$here/../kubelet.sh"

pfs_up
make_vfs pf0 2
mkdir -p /run/test /etc/modprobe.d
echo 'install ib_core /bin/false' >/etc/modprobe.d/late.conf        # the kernel would load it for the agent's first question
cat >/run/test/config.json <<'J'
{"configList": [{"resourcePrefix": "rdma", "resourceName": "hca", "rdmaHcaMax": 4, "selectors": {"drivers": ["igbvf"]}}]}
J
log=/run/test/agent.log
kubelet_start /run/test/kubelet
setpriv --inh-caps=-all --bounding-set=-all "$RAILHEAD_BIN/railhead-agent" --config-file /run/test/config.json \
    --kubelet-dir /run/test/kubelet --devinfo-dir /run/test/devinfo >$log 2>&1 &
agent=$!
check "the agent is registered" wait_for 60 listed_since rdma/hca 0
check_fails "the RDMA subsystem is not loaded" "" grep '^ib_core ' /proc/modules
t_eq "the agent has no capability" 0000000000000000 "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/$agent/status)"

section RDMA comes, in exclusive mode
rm /etc/modprobe.d/late.conf
rdma_mode exclusive
load_tbrdma
must tbrdma_add mlx5_0 pf0v0
check "the pool has its device, and is unhealthy for the mode" wait_for 60 grep -q 'pool is unhealthy.*exclusive mode' $log
none_healthy() { kubelet resources | jq -e '.["rdma/hca"] | length == 4 and all(.healthy | not)'; }
check "its shares are offered, none of them healthy" wait_for 60 none_healthy

kill $agent
wait $agent
t_eq "the agent ends well" 0 $?
suite_done
