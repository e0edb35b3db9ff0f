# The objects that kustomize or the chart make, as JSON. Sourced; needs $work, $kubectl and $render.

# build FOLDER: its objects go to $work/FOLDER.json, as one list
build() {
    "$kubectl" kustomize "manifests/$1" >"$work/out.yaml" && "$render" objects "$work/out.yaml" >"$work/$1.json"
}

# object FOLDER KIND NAME: one of them
object() { jq -e --arg kind "$2" --arg name "$3" '.[] | select(.kind == $kind and .metadata.name == $name)' "$work/$1.json"; }

# container FOLDER DAEMONSET CONTAINER: of its pods, one that starts first or one that stays
container() { object "$1" DaemonSet "$2" | jq --arg name "$3" '.spec.template.spec | (.initContainers // [])[], .containers[] | select(.name == $name)'; }

# only_known_fields LIST.json: of what makes pods, each field is one that Kubernetes 1.20's own types keep. Other kinds kubectl does not
# read by their types without a server; what matters of them is looked at one by one.
only_known_fields() {
    local unknown
    jq '{apiVersion: "v1", kind: "List", items: map(select(.kind | IN("DaemonSet", "Job", "Pod")) | del(.spec.updateStrategy.rollingUpdate.maxSurge))}' \
        "$1" >"$work/written.json" && jq -e '.items | length > 0' "$work/written.json" >/dev/null || return
    "$kubectl" set image --local -f "$work/written.json" '*=another' -o json | jq -s . >"$work/typed.json" || return
    unknown=$(jq -rn --slurpfile written "$work/written.json" --slurpfile typed "$work/typed.json" '
        $written[0].items as $items | $typed[0] as $kept | if ($items | length) != ($kept | length) then "not all were read" else empty end,
        ($items | to_entries[] | .value.metadata.name as $name | ([.value | paths] - [$kept[.key] | paths])[] |
            "\($name): \(map(tostring) | join("."))")')
    echo "$unknown"
    [ -z "$unknown" ]
}
