# manifests/examples: pods, networks and pools fit each other, and the programs that read them. Sourced by check.

# The objects of all files, what each makes of pods, and which resources the pools are: $work/examples.json
read_examples() {
    local file
    for file in manifests/examples/*.yaml; do "$render" objects "$file" || return; done | jq -s 'add |
        {networks: map(select(.kind == "NetworkAttachmentDefinition")),
         pools: [.[] | select(.pools) | .pools[] | "\(.resourcePrefix)/\(.resourceName)"],
         pods: [(.[] | select(.kind == "TrainJob") | .spec.trainer.resourcesPerNode) as $ofNodes | .[] |
            (select(.kind == "Pod")), (select(.kind == "Job") | .spec.template), (.config?.kubernetes?.pod_config // empty),
            (select(.kind == "TrainingRuntime") | .spec.template.spec.replicatedJobs[].template.spec.template |
                .spec.containers[0].resources = $ofNodes) | . + {apiVersion: "v1", kind: "Pod"}]}' >"$work/examples.json"
}
examples_have_known_fields() {
    jq '.pods' "$work/examples.json" >"$work/pods.json" && only_known_fields "$work/pods.json" || return
    "$render" objects manifests/examples/rails.yaml >"$work/rails.json" && only_known_fields "$work/rails.json"
}
# Each resource is a pool's, each network is there, and a pod has a device for each of its networks.
examples_fit_each_other() {
    jq -e '. as $all | (.networks | map({(.metadata.name): (.metadata.annotations // {})["k8s.v1.cni.cncf.io/resourceName"]}) | add) as $of |
        (.pods | length >= 6) and all(.pods[]; .spec.containers[0].resources.limits as $limits |
            (.metadata.annotations["k8s.v1.cni.cncf.io/networks"] | split(", *"; null) | map(split("@")[0])) as $asked |
            all($asked[]; in($of)) and
            all($limits | keys[] | select(test("^(rdma|net)/")); . as $name | any($all.pools[]; . == $name)) and
            all($asked | group_by($of[.])[]; $of[.[0]] as $resource | $resource == null or ($limits[$resource] == length)))' "$work/examples.json"
}
# attach CONFIGURATION: what the CNI program says to a device that no machine has; its records go into a /run of its own
attach() {
    CNI_COMMAND=ADD CNI_CONTAINERID=example CNI_IFNAME=net1 CNI_NETNS=/proc/self/ns/net CNI_NETNS_OVERRIDE=1 CNI_PATH=/ \
        unshare --map-root-user --mount sh -c 'mount -t tmpfs none /run && exec "$0"' "$bin/railhead" <<<"$1" 2>&1
}
# Of the networks of an own type everything is read before the device is looked for, and keys that mean nothing are warned of.
cni_takes_the_networks() {
    local config said number=0
    jq -e 'all(.networks[]; .metadata.name == (.spec.config | fromjson | .name))' "$work/examples.json" >/dev/null || return
    jq -c '.networks[].spec.config | fromjson | select(.type == "railhead") | .deviceID = "ffff:ff:1f.7"' "$work/examples.json" >"$work/configs" || return
    while read -r config; do
        said=$(attach "$config")
        echo "$config: $said"
        [[ $said == *"PCI function ffff:ff:1f.7: "*ENOENT* && $said != *"not known"* ]] || return
        [[ $(attach "$(jq -c '.vlan = 5000' <<<"$config")") == *vlan* && $(attach "$(jq -c '.vlam = 5' <<<"$config")") == *"not known"*vlam* ]] || return
        number=$((number + 1))
    done <"$work/configs"
    [ $number -ge 10 ]
}
verdict "the examples are YAML" read_examples
verdict "their pods have fields of Kubernetes 1.20 only" examples_have_known_fields
verdict "their pods, networks and pools fit each other" examples_fit_each_other
verdict "their pools are right" is_right manifests/examples/config.yaml
if unshare --map-root-user --mount true 2>/dev/null; then
    verdict "the CNI program takes their networks' configurations" cni_takes_the_networks
else
    echo "skip - manifests: the CNI program takes their networks' configurations # this user may not make namespaces"
fi
