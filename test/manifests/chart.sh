# chart/ renders the same objects as manifests/. Sourced by check. (Debian has no helm: test/manifests/render does what it does.)

# rendered NAME VALUES [NAMESPACE]: the chart's objects with these values go to $work/NAME.json
rendered() {
    echo "$2" >"$work/$1-values.yaml"
    "$render" chart "${3:-railhead}" chart "$work/$1-values.yaml" >"$work/$1.json"
}
# The chart has no Namespace, kustomize leaves empty annotations behind, and the order of lists that Kubernetes keeps by a key means nothing.
normalized() {
    jq -S 'map(select(.kind != "Namespace") | del(.metadata | .annotations, .labels | select(. == {}))) | sort_by(.kind, .metadata.name) |
        walk(if type != "array" then . elif all(.[]; type == "object" and has("mountPath")) then sort_by(.mountPath)
            elif all(.[]; type == "object" and has("name")) then sort_by(.name) else . end)' "$@"
}
# same_as FOLDER VALUES: the objects of manifests/FOLDER, or of a file of them
same_as() {
    rendered chart "$2" && diff <(normalized "$work/$1.json") <(normalized "$work/chart.json")
}
has_policies_of_both() {
    rendered chart '{admissionPolicy: {enabled: true}}' && jq 'map(select(.apiVersion | startswith("admission")))' "$work/chart.json" >"$work/one.json" &&
        diff <("$render" objects manifests/cluster/admission.yaml | normalized) <(normalized "$work/one.json") || return
    rendered chart '{admissionPolicy: {enabled: true}, readiness: {enabled: true}}' &&
        jq 'map(select(.apiVersion | startswith("admission")))' "$work/chart.json" >"$work/one.json" &&
        diff <(cat manifests/cluster/admission.yaml <(echo ---) manifests/readiness/admission.yaml | "$render" objects | normalized) <(normalized "$work/one.json")
}
all_is_in_the_namespace() {
    rendered chart '{admissionPolicy: {enabled: true}, readiness: {enabled: true}}' other && jq -e '
        all(.[] | select(.kind | IN("ServiceAccount", "ConfigMap", "DaemonSet")); .metadata.namespace == "other") and
        ([.[] | .subjects[]?.namespace] == ["other"]) and
        ([.. | strings | select(startswith("request.userInfo.username"))] | unique == ["request.userInfo.username == \"system:serviceaccount:other:railhead-agent\""])' \
        "$work/chart.json"
}
puts_programs_elsewhere() {
    rendered chart '{meta: {cniBinDir: /var/lib/rancher/k3s/data/cni, cniConfDir: /var/lib/rancher/k3s/agent/etc/cni/net.d, args: [--take-over]},
        imagePullSecrets: [{name: mine}], nodeSelector: {pool: gpu}, tolerations: [], priorityClassName: mine}' && only_known_fields "$work/chart.json" &&
        jq -e '[.[] | select(.kind == "DaemonSet") | .spec.template.spec] as $pods | $pods[] | select(.initContainers) |
            all(.initContainers[], .containers[]; .args == ["--cni-bin-dir=/var/lib/rancher/k3s/data/cni",
                "--cni-conf-dir=/var/lib/rancher/k3s/agent/etc/cni/net.d", "--take-over"] and
                ([.volumeMounts[] | select(.readOnly | not) | .mountPath] == ["/host/var/lib/rancher/k3s/data/cni", "/host/var/lib/rancher/k3s/agent/etc/cni/net.d"])) and
            ([.volumes[0, 1].hostPath.path] == ["/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/agent/etc/cni/net.d"]) and
            all($pods[]; .nodeSelector == {"kubernetes.io/os": "linux", pool: "gpu"} and (has("tolerations") | not) and .priorityClassName == "mine" and .imagePullSecrets == [{name: "mine"}])' \
            "$work/chart.json"
}
# Each of these is refused, and the text names the key.
refuses_wrong_values() {
    local values key said
    while IFS='|' read -r values key; do
        said=$(rendered chart "$values" 2>&1) && { echo "not refused: $values"; return 1; }
        grep -qF -- "$key" <<<"$said" || { echo "$values: $said"; return 1; }
    done <<'END'
{images: {}}|images
{image: {repository: ""}}|image.repository
{image: {tag: 1.0}}|image.tag
{config: {pool: []}}|pool
{config: {pools: {}}}|config.pools
{config: null}|config
{cluster: true}|cluster
{cluster: {enabled: "yes"}}|cluster.enabled
{readiness: {enabled: true}, cluster: {enabled: false}}|cluster.enabled
{claimStatus: {enabled: true}, cluster: {enabled: false}}|cluster.enabled
{meta: {clusterNetwork: 1}}|meta.clusterNetwork
{meta: {args: --take-over}}|meta.args
{meta: {args: [take-over]}}|meta.args.0
{meta: {cniBinDir: opt/cni/bin}}|meta.cniBinDir
{meta: {binDir: /opt/cni/bin}}|binDir
{nodeSelector: {gpu: true}}|nodeSelector.gpu
{tolerations: {}}|tolerations
{resources: {agent: {memory: 1Gi}}}|memory
{resources: {agents: {}}}|agents
END
}
schema_and_values_name_the_same() {
    diff <("$render" objects chart/values.yaml | jq -S '.[0] | keys') <(jq -S '.properties | del(.global) | keys' chart/values.schema.json) &&
        cmp chart/crds/nad-crd.yaml manifests/cluster/nad-crd.yaml
}
verdict "the chart renders what full has" same_as full '{}'
verdict "and what the overlay with image and cluster network has" same_as overlay \
    '{image: {repository: registry.example/railhead, tag: "0.1.0"}, meta: {clusterNetwork: cbr0}}'
alone='cluster: {enabled: false}, meta: {enabled: false}, reconciler: {enabled: false}'
verdict "the device plugin alone is what base has" same_as base "{$alone}"
verdict "with counters what pod-counters has" same_as pod-counters "{$alone, podCounters: {enabled: true}}"
verdict "with the condition what readiness has" same_as readiness '{meta: {enabled: false}, reconciler: {enabled: false}, readiness: {enabled: true}}'
verdict "with claims' status what claim-status has" same_as claim-status '{meta: {enabled: false}, reconciler: {enabled: false}, claimStatus: {enabled: true}}'
verdict "the chart has the admission policies" has_policies_of_both
verdict "the chart goes into another namespace as a whole" all_is_in_the_namespace
verdict "the chart puts the programs where the distribution has them" puts_programs_elsewhere
verdict "the chart's schema refuses wrong values and names the key" refuses_wrong_values
verdict "the chart's schema has each value, and its CRD is the manifests'" schema_and_values_name_the_same
