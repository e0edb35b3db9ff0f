# A node whose containerd calls the meta plugin, under the real kubelet: its cluster network of Debian's plugins, NADs in files, and static pods
# with networks. Sourced after real-kubelet.sh.

plugins=$e2e/cni-bin                                     # the node's plugins, and this program among them
nads=$e2e/nads

# meta_node_start [FOLDER]: containerd (as containerd_start has it) with the meta plugin; the conflist comes last, with meta_conflist, as an admin makes it
meta_node_start() {
    mkdir -p $plugins $e2e/cluster.d $nads/default $kubelet_dir
    cp "$runtime/usr/lib/cni/"* $plugins/
    for name in railhead railhead-meta; do must cp "$RAILHEAD_BIN/railhead" $plugins/$name; done
    must cp "$RAILHEAD_BIN/railhead" "$runtime/usr/lib/cni/railhead-meta"          # containerd calls those of this folder
    containerd_start "$@"
    cat >$e2e/cluster.d/10-cluster.conflist <<'J'
{"cniVersion": "0.4.0", "name": "cluster", "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}]}
J
}
meta_conflist() {
    must "$plugins/railhead" install --cni-bin-dir $plugins --cni-conf-dir $e2e/net.d --nad-dir $nads \
        --cluster-network $e2e/cluster.d/10-cluster.conflist --network-name node --timeout 60 2>>$e2e/install.log
}
# nad NAME CONFIG [RESOURCE]
nad() {
    jq -n --arg name "$1" --arg config "$2" --arg resource "${3:-}" \
        '{apiVersion: "k8s.cni.cncf.io/v1", kind: "NetworkAttachmentDefinition",
          metadata: ({name: $name, namespace: "default"} +
                     if $resource == "" then {} else {annotations: {"k8s.v1.cni.cncf.io/resourceName": $resource}} end),
          spec: {config: $config}}' >"$nads/default/$1.json"
}
# meta_pod NAME NETWORKS VFS CMD...: a static pod of its own network namespace with that annotation
meta_pod() {
    local name=$1 networks=$2 count=$3 resources='{}'
    shift 3
    [ "$count" = 0 ] || resources="{\"rdma/vf\": \"$count\"}"
    jq -n --arg name "$name" --arg networks "$networks" --argjson resources "$resources" \
        '{apiVersion: "v1", kind: "Pod", metadata: {name: $name, namespace: "default", annotations: {"k8s.v1.cni.cncf.io/networks": $networks}},
          spec: {restartPolicy: "Always", terminationGracePeriodSeconds: 0,
                 containers: [{name: "main", image: "localhost/busybox:1", imagePullPolicy: "Never", command: $ARGS.positional,
                               resources: {limits: $resources, requests: $resources}}]}}' --args -- "$@" >$e2e/.pod
    mv $e2e/.pod "$e2e/pods/$name.json"
}
# record_of NAME: the file of a pod's record; its namespace, and its network-status
record_of() { grep -l "\"podName\":\"$1-testbed\"" /var/lib/railhead/pods/*.json; }
netns_of() { basename "$(jq -r .body.netns "$(record_of "$1")")"; }
status_of() { jq -r .body.networkStatus "/run/railhead/pods/$(basename "$(record_of "$1")")"; }
