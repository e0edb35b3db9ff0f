#include "plugin/kube/access.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <unistd.h>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "host/files.hpp"
#include "plugin/config/yaml.hpp"

namespace railhead::kube {
namespace {

Result<std::string> decode_base64(std::string_view text, const std::string& key) {
  std::string compact(text);
  std::erase_if(compact, [](unsigned char c) { return std::isspace(c) != 0; });
  std::string bytes(compact.size() / 4 * 3 + 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(compact.data()),
                                   static_cast<int>(compact.size()));
  if (size < 0) return fail(ErrorCode::invalid_argument, "{}: expected base64", key);
  bytes.resize(static_cast<size_t>(size));
  // The padding's bytes are counted as zeros.
  for (auto end = compact.rbegin(); end != compact.rend() && *end == '=' && !bytes.empty(); ++end) {
    bytes.pop_back();
  }
  return bytes;
}

// A path that is relative is so to the kubeconfig's folder.
std::string beside(const std::string& path, const std::string& file) {
  const auto slash = path.rfind('/');
  if (file.starts_with('/') || slash == std::string::npos) return file;
  return path.substr(0, slash + 1) + file;
}

class Kubeconfig {
 public:
  Kubeconfig(go_json::Object& top, std::string path) : top_(top), path_(std::move(path)) {}

  Result<Access> read() {
    const auto current = top_.string("current-context").value_or("");
    auto context = named("contexts", current, "context");
    if (!context) return pass(context);
    auto cluster = named("clusters", context->string("cluster").value_or(""), "cluster");
    if (!cluster) return pass(cluster);
    auto user = named("users", context->string("user").value_or(""), "user");
    if (!user) return pass(user);
    Access access;
    access.server = cluster->string("server").value_or("");
    while (access.server.ends_with('/')) access.server.pop_back();
    if (access.server.empty()) {
      return fail(ErrorCode::invalid_argument, "{}: missing", cluster->path_of("server"));
    }
    access.is_insecure = cluster->boolean("insecure-skip-tls-verify").value_or(false);
    if (const auto file = cluster->string("certificate-authority")) {
      access.ca_file = beside(path_, *file);
    }
    if (const auto file = user->string("tokenFile")) access.token_file = beside(path_, *file);
    access.token = user->string("token").value_or("");
    for (const auto* other : {"exec", "auth-provider"}) {
      if (!user->has(other)) continue;
      return fail(ErrorCode::invalid_argument,
                  "{}: such users are not supported; expected token, tokenFile or a client "
                  "certificate",
                  user->path_of(other));
    }
    return with_data(std::move(access), *cluster, *user);
  }

 private:
  // The entry of that name of a list, and in it the object of that key.
  Result<go_json::Object> named(std::string_view list, const std::string& name,
                                std::string_view key) {
    auto entries = top_.objects(list);
    for (auto& entry : entries ? *entries : std::vector<go_json::Object>{}) {
      if (entry.string("name") != name) continue;
      if (auto found = entry.object(key)) return std::move(*found);
    }
    return fail(ErrorCode::invalid_argument, "{}: there is none of the name \"{}\"", list, name);
  }

  // PEM text of a key with -data, or of the file that the key itself names.
  Result<std::string> pem(go_json::Object& object, const std::string& key) {
    if (const auto data = object.string(key + "-data")) {
      return decode_base64(*data, object.path_of(key + "-data"));
    }
    const auto file = object.string(key);
    return file ? host::read_file(beside(path_, *file)) : Result<std::string>("");
  }

  Result<Access> with_data(Access access, go_json::Object& cluster, go_json::Object& user) {
    const auto ca =
        access.ca_file.empty() ? pem(cluster, "certificate-authority") : Result<std::string>("");
    const auto certificate = pem(user, "client-certificate");
    const auto key = pem(user, "client-key");
    for (const auto* one : {&ca, &certificate, &key}) {
      if (!*one) return pass(*one);
    }
    access.ca = *ca;
    access.client_certificate = *certificate;
    access.client_key = *key;
    return access;
  }

  go_json::Object& top_;
  const std::string path_;
};

}  // namespace

Result<std::string> Access::bearer() const {
  if (token_file.empty()) return token;
  const auto text = host::read_file(token_file);
  if (!text) return pass(text);
  return std::string(trim(*text));
}

std::optional<Access> in_cluster(const std::string& host, const std::string& port,
                                 const std::string& folder) {
  if (host.empty() || port.empty()) return std::nullopt;
  Access access;
  const bool is_v6 = host.find(':') != std::string::npos;
  access.server = fmt::format("https://{}{}{}:{}", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
  access.ca_file = folder + "/ca.crt";
  access.token_file = folder + "/token";
  if (::access(access.token_file.c_str(), R_OK) != 0) return std::nullopt;
  return access;
}

// A JSON Web Token (RFC 7519): of three parts, base64url without padding, the second has the
// claims.
std::string node_of(std::string_view token) {
  const auto parts = split(token, '.');
  if (parts.size() != 3) return "";
  std::string text(parts[1]);
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  const auto claims = decode_base64(text, "token");
  if (!claims) return "";
  const auto json = nlohmann::json::parse(*claims, nullptr, false);
  const nlohmann::json::json_pointer path("/kubernetes.io/node/name");
  if (!json.is_object() || !json.contains(path) || !json[path].is_string()) return "";
  return json[path].get<std::string>();
}

Result<Access> read_kubeconfig(const std::string& path) {
  const auto text = host::read_file(path);
  const auto json = text ? config::parse_yaml(*text) : pass(text);
  if (!json) return pass(json, path);
  if (!json->is_object()) return fail(ErrorCode::decode, "{}: expected a kubeconfig", path);
  std::vector<Error> errors;
  go_json::Object top(*json, "", errors);
  auto access = Kubeconfig(top, path).read();
  if (!errors.empty()) return fail(ErrorCode::decode, "{}: {}", path, errors.front().message);
  if (!access) return pass(access, path);
  return access;
}

}  // namespace railhead::kube
