#include "ipam/resolv_conf.hpp"

#include <utility>

#include "base/text.hpp"
#include "host/files.hpp"
#include "ipam/paths.hpp"
#include "ipam/refuse.hpp"

namespace railhead::ipam {
namespace {

std::vector<std::string> fields(std::string_view line) {
  std::vector<std::string> all;
  std::string field;
  for (const char c : line) {
    if (c != ' ' && c != '\t') {
      field += c;
    } else if (!field.empty()) {
      all.push_back(std::exchange(field, {}));
    }
  }
  if (!field.empty()) all.push_back(std::move(field));
  return all;
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  for (const auto line : split(text, '\n')) {
    const auto trimmed = trim(line);
    if (trimmed.empty() || trimmed.front() == '#' || trimmed.front() == ';') continue;
    const auto words = fields(trimmed);
    if (words.size() < 2) continue;
    const auto append = [&](std::vector<std::string>& to) {
      to.insert(to.end(), words.begin() + 1, words.end());
    };
    if (words[0] == "nameserver") conf.nameservers.push_back(words[1]);
    if (words[0] == "domain") conf.domain = words[1];
    if (words[0] == "search") append(conf.search);
    if (words[0] == "options") append(conf.options);
  }
  return conf;
}

Result<ResolvConf> read_resolv_conf(const std::string& path, const std::string& etc) {
  const auto plain = plain_path(path);
  const auto rest = plain ? below(*plain, etc) : std::nullopt;
  if (!rest || rest->empty()) {
    return refuse("ipam.resolvConf {}: expected a file below {}", path, etc);
  }
  // A symbolic link there is the admin's: distributions make resolv.conf one.
  const auto text = host::read_own_file(*plain);
  if (!text) return pass(text, "ipam.resolvConf");
  return parse_resolv_conf(*text);
}

}  // namespace railhead::ipam
