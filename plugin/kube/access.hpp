#pragma once
// How the API server is reached, and as whom.
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::kube {

struct Access {
  std::string server;  // "https://10.96.0.1:443", without a path's last slash
  // Who signed the server's certificate: a file, which is read for each connection, or PEM text;
  // both "": whoever this machine trusts.
  std::string ca_file;
  std::string ca;
  bool is_insecure = false;  // insecure-skip-tls-verify
  // Read for each request, as it rotates; or the token itself; both "": none.
  std::string token_file;
  std::string token;
  std::string client_certificate;  // PEM text
  std::string client_key;          // PEM text

  // Its bearer token as it is now; "": none. Errors: as read_file.
  [[nodiscard]] Result<std::string> bearer() const;
};

// What every pod with a service account finds: the variables KUBERNETES_SERVICE_HOST and _PORT, and
// the account's folder, of the files token and ca.crt. Nothing where one of them is missing: this
// is no pod, or one without an account.
[[nodiscard]] std::optional<Access> in_cluster(
    const std::string& host, const std::string& port,
    const std::string& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

// The node that a service account's token is bound to, of the claim kubernetes.io.node.name (since
// Kubernetes 1.30); "": it does not say.
[[nodiscard]] std::string node_of(std::string_view token);

// Of a kubeconfig's current context. What its users cannot be here, those of exec and
// auth-provider, is refused. Errors: as read_file; decode, invalid_argument (with the key).
[[nodiscard]] Result<Access> read_kubeconfig(const std::string& path);

}  // namespace railhead::kube
