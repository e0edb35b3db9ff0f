# A real kubelet with containerd in the guest: static pods from a folder, and those of an API server where one is named. Sourced after
# fixture.sh; needs $RAILHEAD_E2E, the folder that test/e2e/prepare printed.

. "$(dirname "${BASH_SOURCE[0]}")/image.sh"
[ -x "${RAILHEAD_E2E:-}/kubelet" ] || die "RAILHEAD_E2E names no prepared kubelet: './dev e2e' makes one"
e2e=/run/e2e
runtime=$RAILHEAD_E2E/runtime
kubelet_dir=/var/lib/kubelet
containerd_socket=/run/containerd/containerd.sock
export PATH=$runtime/usr/bin:$runtime/usr/sbin:$PATH

# image NAME PROGRAM PATH-IN-IMAGE: for containerd
image() {
    image_archive $e2e/image "$@"
    must ctr -a $containerd_socket -n k8s.io images import $e2e/image/image.tar
}

# containerd_start [FOLDER]: containerd 1.6; given the folder of a later one's package, that with CDI, which is off by default
containerd_start() {
    local cdi=
    if [ $# != 0 ]; then
        PATH=$1/usr/bin:$PATH                            # its ctr, and what it starts itself
        cdi='enable_cdi = true
  cdi_spec_dirs = ["/var/run/cdi"]'
    fi
    mkdir -p $e2e /run/containerd $e2e/net.d
    cat >$e2e/containerd.toml <<T
version = 2
root = "/run/containerd-root"
state = "/run/containerd"
[grpc]
  address = "$containerd_socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  $cdi
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$runtime/usr/lib/cni"
    conf_dir = "$e2e/net.d"
T
    containerd -c $e2e/containerd.toml >$e2e/containerd.log 2>&1 &
    wait_for 180 ctr -a $containerd_socket version || die "containerd does not answer: $(tail -5 $e2e/containerd.log)"
    printf 'int pause(void);\nint main(void) { for (;;) pause(); }\n' | must gcc -static -Os -x c - -o $e2e/pause
    image localhost/pause:1 $e2e/pause pause
    image localhost/busybox:1 "$runtime/bin/busybox" bin/busybox
}

# real_kubelet_start [KUBECONFIG]: returns when it is healthy; standalone without an API server
real_kubelet_start() {
    local options=()
    [ $# = 0 ] || options=(--kubeconfig "$1")
    mkdir -p $e2e/pods
    cat >$e2e/kubelet.yaml <<Y
kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
staticPodPath: $e2e/pods
fileCheckFrequency: 1s
syncFrequency: 2s
cgroupDriver: cgroupfs
makeIPTablesUtilChains: false
failSwapOn: false
evictionHard: {}
oomScoreAdj: 0
readOnlyPort: 10255
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
Y
    "$RAILHEAD_E2E/kubelet" --config $e2e/kubelet.yaml --container-runtime=remote \
        --container-runtime-endpoint=unix://$containerd_socket --hostname-override=testbed --v=2 "${options[@]}" >>$e2e/kubelet.log 2>&1 &
    kubelet=$!
    wait_for 300 http 10248 /healthz || die "kubelet does not become healthy: $(tail -20 $e2e/kubelet.log)"
}

real_kubelet_stop() {
    kill $kubelet
    wait $kubelet || :
}

# http PORT PATH: what this machine's server on PORT answers; fails on anything but 200
http() {
    local line
    exec 4<>"/dev/tcp/127.0.0.1/$1" || return
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&4
    read -r -t 20 line <&4
    while read -r -t 20 -u 4 REPLY && [ "$REPLY" != $'\r' ]; do :; done
    timeout 20 cat <&4
    exec 4<&-
    [[ $line == *" 200 "* ]]
}

# pod NAME RESOURCES CMD...: a static pod with one container of busybox that asks for RESOURCES ('{"rdma/vf": 2}') and runs CMD; started
# again when it ends, if $restart says Always; in the host's network, unless $host_network says false
pod() {
    local name=$1 resources=$2
    shift 2
    jq -n --arg name "$name" --arg restart "${restart:-Never}" --argjson host_network "${host_network:-true}" \
        --argjson resources "$resources" \
        '{apiVersion: "v1", kind: "Pod", metadata: {name: $name, namespace: "default"},
          spec: {hostNetwork: $host_network, restartPolicy: $restart, terminationGracePeriodSeconds: 0,
                 containers: [{name: "main", image: "localhost/busybox:1", imagePullPolicy: "Never", command: $ARGS.positional,
                               resources: {limits: $resources, requests: $resources}}]}}' \
        --args -- "$@" >$e2e/.pod
    mv $e2e/.pod "$e2e/pods/$name.json"
}
# daemonset_pod NAME FILE IMAGE CONFIG-FOLDER: the pod of a DaemonSet of manifests/ as a static one. What only an API server has, an
# account and a ConfigMap, is left out and a folder of the host's.
daemonset_pod() {
    {
        printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: default}\nspec:\n' "$1"
        sed -e '1,/^    spec:$/d' -e '/serviceAccountName:/d' -e "s|image: railhead$|image: $3|" \
            -e "s|configMap: {name: railhead-config}|hostPath: {path: $4}|" -e 's/^    //' "$2"
    } >$e2e/.pod
    mv $e2e/.pod "$e2e/pods/$1.json"
}
remove_pod() { rm -f "$e2e/pods/$1.json"; }

# pod_status NAME: "PHASE REASON MESSAGE", '' while kubelet does not know it
pod_status() {
    http 10255 /pods | jq -r --arg name "$1-testbed" \
        '.items[] | select(.metadata.name == $name) | .status | [.phase, .reason // "", .message // ""] | join(" ")'
}
pod_is() { [[ $(pod_status "$1") == $2* ]]; }
pod_is_ready() {
    http 10255 /pods | jq -e --arg name "$1-testbed" \
        '.items[] | select(.metadata.name == $name) | .status.conditions[] | select(.type == "Ready") | .status == "True"'
}
pod_is_gone() {
    local pods
    pods=$(http 10255 /pods) && jq -e --arg name "$1-testbed" '[.items[]? | select(.metadata.name == $name)] == []' <<<"$pods"
}
pod_log() { sed -E 's/^[^ ]+ (stdout|stderr) [FP] //' /var/log/pods/default_"$1"-testbed_*/main/*.log; }

# finished NAME: whether the pod has said all it has to
finished() { pod_log "$1" | grep -x done >/dev/null; }
# given NAME KEY: what the pod's log says KEY= of
given() { pod_log "$1" | sed -n "s/^$2=//p"; }
# registered LOG TIMES: whether kubelet has greeted and taken the agent so often. 1.20 does not count registrations by its plugin
# watcher in its metrics.
registered() { [ "$(grep -c "pool registered with kubelet" "$1")" -ge "$2" ]; }
# lists_taken RESOURCE: how many lists of its devices kubelet has received. What it has saved proves that it knows them, but where two
# resources come at once is not all: 1.20 may save the former state last, without one of them, and then saves nothing more. This one is true
# a moment before kubelet knows them: a pod that comes in between is refused.
lists_taken() { grep -c "State pushed for device plugin $1\$" $e2e/kubelet.log 2>/dev/null; }
# devices_known STAMP [COUNT]: whether kubelet was told of so many VFs, four, since that file was made; it saves that with each list. A static pod
# that comes between registration and list is refused for good.
devices_known() {
    local saved=$kubelet_dir/device-plugins/kubelet_internal_checkpoint
    [ "$saved" -nt "$1" ] && jq -e --argjson count "${2:-4}" '.Data.RegisteredDevices["rdma/vf"] | length == $count' "$saved"
}
