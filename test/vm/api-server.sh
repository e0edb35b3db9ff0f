# The API server that runs beside the VM (beside-api-server), as its admin, its kubelet and its pods see it. Sourced; needs $RAILHEAD_E2E, the
# folder that test/e2e/prepare printed, and $api, a folder of its own. What it wrote is in $api_folder.

api_folder=/run/vm/beside
api_address=10.0.2.2                                     # this machine's, in a guest of QEMU

# api_ask WORD: stop or start
api_ask() {
    rm -f $api_folder/done
    echo "$1" >$api_folder/ask.new
    mv $api_folder/ask.new $api_folder/ask
    wait_for 200 [ -e $api_folder/done ] || die "the API server does not $1: $(tail -5 $api_folder/kube-apiserver.log)"
}
api_stop() { api_ask stop; }
api_start() { api_ask start; }

# api_connect: the way to it: a NIC that QEMU forwards itself; and what tells who we are
api_connect() {
    local nic
    mkdir -p "$api"
    must modprobe virtio_net
    wait_for 60 eval 'nic=$(ls /sys/bus/virtio/drivers/virtio_net/*/net)' || die "no NIC leads out of the VM"
    must ip link set dev "$nic" name lan0
    must ip address add 10.0.2.15/24 dev lan0
    must ip link set dev lan0 up
    wait_for 300 [ -e $api_folder/ready ] || die "there is no API server beside the VM: is it started with --beside?"
    api_port=$(cat $api_folder/port)
    api_url=https://$api_address:$api_port
    cp $api_folder/{ca.crt,admin.crt,admin.key,kubelet.crt,kubelet.key} "$api"
    kubeconfig_by_certificate admin >"$api/admin.kubeconfig"
    wait_for 60 api GET /readyz || die "the API server cannot be reached"
}

# api METHOD PATH [JSON [CONTENT-TYPE]]: as the admin; what it answers; fails on a refusal
api() {
    local body=()
    [ $# -lt 3 ] || body=(-H "Content-Type: ${4:-application/json}" --data-binary "$3")
    curl -sS --fail-with-body --max-time 60 --cacert "$api/ca.crt" --cert "$api/admin.crt" --key "$api/admin.key" -X "$1" "${body[@]}" "$api_url$2"
}
# api_create PATH: the object on standard input
api_create() { api POST "$1" "$(cat)" >/dev/null; }

# kubeconfig USER FIELDS: prints one for the API server; FIELDS are its user's, "token: x"
kubeconfig() {
    cat <<Y
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: "$1"}}]
clusters: [{name: test, cluster: {server: "$api_url", certificate-authority: "$api/ca.crt"}}]
users: [{name: "$1", user: {$2}}]
Y
}
# kubeconfig_by_certificate NAME: of the user of $api/NAME.crt
kubeconfig_by_certificate() { kubeconfig "$1" "client-certificate: $api/$1.crt, client-key: $api/$1.key"; }
# kubectl ARG...: as the admin
kubectl() { timeout 120 "$RAILHEAD_E2E/runtime/usr/bin/kubectl" --kubeconfig "$api/admin.kubeconfig" "$@"; }

# cluster_start: the API server, what manifests/cluster brings (the definition of NADs, the agent's account and rights), and kubeconfigs of agent
# and kubelet in $api
cluster_start() {
    local manifests
    manifests=$(dirname "${BASH_SOURCE[0]}")/../../manifests
    api_connect
    must kubectl apply -f "$manifests/cluster/nad-crd.yaml" -f "$manifests/cluster/rbac.yaml" -f "$manifests/base/namespace.yaml" >/dev/null
    sed 's/^metadata:/metadata:\n  namespace: railhead/' "$manifests/base/rbac.yaml" | must kubectl apply -f - >/dev/null
    wait_for 120 kubectl get net-attach-def || die "NetworkAttachmentDefinitions are not served"
    api_token railhead railhead-agent >"$api/token"
    kubeconfig agent "tokenFile: $api/token" >"$api/agent.kubeconfig"
    kubeconfig_by_certificate kubelet >"$api/kubelet.kubeconfig"
}
# multus_rights: the account that network-operator's Multus has, with its role; of pods/status it may replace, and not patch
multus_rights() {
    must kubectl apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: ServiceAccount
metadata: {name: multus, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: multus}
rules:
  - {apiGroups: [k8s.cni.cncf.io], resources: [network-attachment-definitions], verbs: [get, list, watch]}
  - {apiGroups: [""], resources: [pods, pods/status], verbs: [get, list, update, watch]}
  - {apiGroups: ["", events.k8s.io], resources: [events], verbs: [create, patch, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: multus}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: multus}
subjects: [{kind: ServiceAccount, name: multus, namespace: default}]
Y
}
# nad_object NAME CONFIG RESOURCE: made, or changed
nad_object() {
    jq -n --arg name "$1" --arg config "$2" --arg resource "$3" '{apiVersion: "k8s.cni.cncf.io/v1", kind: "NetworkAttachmentDefinition",
        metadata: {$name, annotations: {"k8s.v1.cni.cncf.io/resourceName": $resource}}, spec: {$config}}' | must kubectl apply -f - >/dev/null
}
# object_pod NAME NETWORKS VFS: made in the API, on this node, with these networks and so many VFs
object_pod() {
    jq -n --arg name "$1" --arg networks "$2" --argjson vfs "$3" '{apiVersion: "v1", kind: "Pod",
        metadata: {$name, annotations: {"k8s.v1.cni.cncf.io/networks": $networks}},
        spec: {nodeName: "testbed", automountServiceAccountToken: false, terminationGracePeriodSeconds: 0, enableServiceLinks: false,
               tolerations: [{operator: "Exists"}],
               containers: [{name: "main", image: "localhost/busybox:1", imagePullPolicy: "Never", command: ["sleep", "3600"],
                             resources: (if $vfs == 0 then {} else {limits: {"rdma/vf": "\($vfs)"}} end)}]}}' | must kubectl apply -f - >/dev/null
}
phase_is() { [ "$(kubectl get pod "$1" -o jsonpath='{.status.phase}')" = "$2" ]; }
written_status() { kubectl get pod "$1" -o json | jq -r '.metadata.annotations["k8s.v1.cni.cncf.io/network-status"] // "[]"'; }
events_of() { kubectl get events -o json | jq -r --arg name "$1" '.items[] | select(.involvedObject.name == $name) | "\(.type) \(.reason) \(.message)"'; }
end_object_pod() { must kubectl delete pod "$1" --wait=false >/dev/null; }
is_gone() { ! kubectl get pod "$1" 2>/dev/null; }

# api_token NAMESPACE ACCOUNT: a token as kubelet would give it to a pod
api_token() {
    api POST "/api/v1/namespaces/$1/serviceaccounts/$2/token" \
        '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}' | jq -r .status.token
}
