#include "plugin/kube/access.hpp"

#include <filesystem>

#include "host/files.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using railhead::test::must;

namespace {

struct Folder {
  test::TemporaryFolder folder;
  std::string write(const std::string& name, const std::string& text) const {
    const auto path = folder.path() + "/" + name;
    must(host::write_file_atomically(path, text, 0600));
    return path;
  }
};

std::string error_of(const Result<kube::Access>& access) {
  REQUIRE_FALSE(access);
  return access.error().message;
}

}  // namespace

TEST_CASE("A pod's account is found by what every pod is told, and its token is read each time") {
  const Folder folder;
  CHECK_FALSE(kube::in_cluster("10.96.0.1", "443", folder.folder.path()));
  const auto token = folder.write("token", "first\n");
  const auto access = kube::in_cluster("10.96.0.1", "443", folder.folder.path());
  REQUIRE(access);
  CHECK(access->server == "https://10.96.0.1:443");
  CHECK(access->ca_file == folder.folder.path() + "/ca.crt");
  CHECK(must(access->bearer()) == "first");
  folder.write("token", "second");
  CHECK(must(access->bearer()) == "second");
  std::filesystem::remove(token);
  CHECK(is(access->bearer(), ErrorCode::not_found));
  folder.write("token", "x");
  CHECK(kube::in_cluster("fd00::1", "443", folder.folder.path())->server ==
        "https://[fd00::1]:443");
  CHECK_FALSE(kube::in_cluster("", "443", folder.folder.path()));
  CHECK_FALSE(kube::in_cluster("10.96.0.1", "", folder.folder.path()));
}

TEST_CASE("A kubeconfig's current context is read, files beside it and data within it") {
  const Folder folder;
  folder.write("ca.crt", "authority");
  folder.write("token", "t");
  const auto path = folder.write("kubeconfig", R"(
apiVersion: v1
kind: Config
current-context: b
contexts:
- name: a
  context: {cluster: other, user: other}
- name: b
  context: {cluster: c, user: u}
clusters:
- name: c
  cluster:
    server: https://api.example:6443/
    certificate-authority: ca.crt
users:
- name: u
  user:
    tokenFile: token
    client-certificate-data: Y2VydGlmaWNhdGU=
    client-key-data: a2V5MQ==
)");
  const auto access = must(kube::read_kubeconfig(path));
  CHECK(access.server == "https://api.example:6443");
  CHECK(access.ca_file == folder.folder.path() + "/ca.crt");
  CHECK(must(access.bearer()) == "t");
  CHECK(access.client_certificate == "certificate");
  CHECK(access.client_key == "key1");
  CHECK_FALSE(access.is_insecure);
}

TEST_CASE("What a kubeconfig lacks, or asks for that is not supported, is named") {
  const Folder folder;
  const auto error = [&](const std::string& text) {
    return error_of(kube::read_kubeconfig(folder.write("k", text)));
  };
  const std::string contexts =
      "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n";
  const std::string clusters = "clusters: [{name: c, cluster: {server: https://s}}]\n";
  CHECK(error("") != "");
  CHECK(error("current-context: y\n").ends_with("contexts: there is none of the name \"y\""));
  CHECK(error(contexts).ends_with("clusters: there is none of the name \"c\""));
  CHECK(error(contexts + clusters).ends_with("users: there is none of the name \"u\""));
  CHECK(error(contexts + "clusters: [{name: c, cluster: {}}]\nusers: [{name: u, user: {}}]\n")
            .ends_with("clusters[0].cluster.server: missing"));
  CHECK(error(contexts + clusters + "users: [{name: u, user: {exec: {command: aws}}}]\n")
            .find("users[0].user.exec: such users are not supported") != std::string::npos);
  CHECK(error(contexts + clusters + "users: [{name: u, user: {client-key-data: '***'}}]\n")
            .ends_with("client-key-data: expected base64"));
  CHECK(is(kube::read_kubeconfig(folder.folder.path() + "/none"), ErrorCode::not_found));
}

TEST_CASE("A token says which node it is bound to, or nothing") {
  // {"kubernetes.io":{"namespace":"ml","node":{"name":"gpu-1.ex~~~"}}}
  CHECK(kube::node_of("e30.eyJrdWJlcm5ldGVzLmlvIjp7Im5hbWVzcGFjZSI6Im1sIiwibm9kZSI6eyJu"
                      "YW1lIjoiZ3B1LTEuZXh-fn4ifX19.c2ln") == "gpu-1.ex~~~");
  // {"kubernetes.io":{"namespace":"ml"}}
  CHECK(kube::node_of("e30.eyJrdWJlcm5ldGVzLmlvIjp7Im5hbWVzcGFjZSI6Im1sIn19.c2ln").empty());
  for (const auto* other : {"", "opaque", "a.b", "a.!!!!.c", "a..c", "a.e30.c", "a.bnVsbA.c"}) {
    CHECK(kube::node_of(other).empty());
  }
}
