# A real kubelet with containerd in the guest, standalone: static pods from a folder, no API server. Sourced after fixture.sh;
# needs $RAILHEAD_E2E, the folder that test/e2e/prepare printed.

[ -x "${RAILHEAD_E2E:-}/kubelet" ] || die "RAILHEAD_E2E names no prepared kubelet: './dev e2e' makes one"
e2e=/run/e2e
runtime=$RAILHEAD_E2E/runtime
containerd_socket=/run/containerd/containerd.sock
export PATH=$runtime/usr/bin:$runtime/usr/sbin:$PATH

# image NAME PROGRAM PATH-IN-IMAGE: an image of one program with its libraries, made on the spot: there is no registry
image() {
    local name=$1 program=$2 path=$3 folder=$e2e/image layer applet library
    rm -rf "$folder"
    mkdir -p "$folder/root/$(dirname "$path")"
    cp "$program" "$folder/root/$path"
    [ "$path" != bin/busybox ] || for applet in sh sleep; do ln -s busybox "$folder/root/bin/$applet"; done
    for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do
        mkdir -p "$folder/root/${library%/*}"
        cp -L "$library" "$folder/root/$library"
    done
    tar -cf "$folder/layer.tar" -C "$folder/root" .
    layer=$(sha256sum "$folder/layer.tar")
    printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["/%s"],"Env":["PATH=/bin:/usr/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$path" "${layer%% *}" >"$folder/config.json"
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$name" >"$folder/manifest.json"
    tar -cf "$folder/image.tar" -C "$folder" manifest.json config.json layer.tar
    must ctr -a $containerd_socket -n k8s.io images import "$folder/image.tar"
}

containerd_start() {
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

# real_kubelet_start: returns when it is healthy
real_kubelet_start() {
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
        --container-runtime-endpoint=unix://$containerd_socket --hostname-override=testbed --v=2 >>$e2e/kubelet.log 2>&1 &
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

# pod NAME RESOURCES CMD...: a static pod with one container of busybox that asks for RESOURCES ('{"rdma/vf": 2}') and runs CMD
pod() {
    local name=$1 resources=$2
    shift 2
    jq -n --arg name "$name" --argjson resources "$resources" \
        '{apiVersion: "v1", kind: "Pod", metadata: {name: $name, namespace: "default"},
          spec: {hostNetwork: true, restartPolicy: "Never", terminationGracePeriodSeconds: 0,
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
