# A real API server with its etcd, on loopback, with TLS and RBAC: Debian's kube-apiserver 1.20.2. No scheduler and no controllers: a pod
# names its node, and is deleted by force. Sourced; needs $RAILHEAD_E2E, the folder that test/e2e/prepare printed, and $api, a folder of its own
# that has a disk's properties (a tmpfs does).

api_port=6443
api_url=https://127.0.0.1:$api_port
etcd_url=http://127.0.0.1:2379

# api_certificates: a CA, the server's certificate, and those of an admin; once
api_certificates() {
    [ ! -e "$api/ca.crt" ] || return 0
    mkdir -p "$api"
    (
        cd "$api" || exit
        set -e
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca -keyout ca.key -out ca.crt
        # signed NAME SUBJECT [EXTENSIONS]
        signed() {
            openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
            openssl x509 -req -days 30 -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt" -extfile <(echo "${3:-}")
        }
        signed server /CN=kube-apiserver subjectAltName=IP:127.0.0.1,DNS:localhost
        signed admin /O=system:masters/CN=admin
        signed kubelet /O=system:nodes/CN=system:node:testbed
        openssl genrsa -out sa.key 2048
    ) >/dev/null 2>&1 || die "the API server's certificates cannot be made"
}

# api_start: returns when it answers
api_start() {
    api_certificates
    if [ -z "${etcd_pid:-}" ]; then
        "$RAILHEAD_E2E/runtime/usr/bin/etcd" --data-dir "$api/etcd" --listen-client-urls $etcd_url --advertise-client-urls $etcd_url \
            --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
            --initial-cluster default=http://127.0.0.1:2380 --unsafe-no-fsync >>"$api/etcd.log" 2>&1 &
        etcd_pid=$!
        wait_for 120 curl -sf $etcd_url/health || die "etcd does not answer: $(tail -5 "$api/etcd.log")"
    fi
    "$RAILHEAD_E2E/kube-apiserver" --etcd-servers $etcd_url --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port $api_port \
        --tls-cert-file "$api/server.crt" --tls-private-key-file "$api/server.key" --client-ca-file "$api/ca.crt" \
        --authorization-mode Node,RBAC --service-account-issuer https://kubernetes.default.svc \
        --service-account-key-file "$api/sa.key" --service-account-signing-key-file "$api/sa.key" --api-audiences kubernetes \
        --service-cluster-ip-range 10.0.0.0/24 --disable-admission-plugins ServiceAccount --endpoint-reconciler-type none \
        --cert-dir "$api/certs" --profiling=false --v=1 >>"$api/kube-apiserver.log" 2>&1 &
    api_pid=$!
    wait_for 300 api GET /readyz || die "the API server does not become ready: $(tail -5 "$api/kube-apiserver.log")"
    kubeconfig_by_certificate admin >"$api/admin.kubeconfig"
    wait_for 120 api GET /api/v1/namespaces/default || die "the API server has no namespace 'default'"
}
api_stop() {
    kill $api_pid
    wait $api_pid 2>/dev/null
}
etcd_stop() {
    kill $etcd_pid
    wait $etcd_pid 2>/dev/null
    etcd_pid=
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
    api_start
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
