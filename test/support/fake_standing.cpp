#include "test/support/fake_standing.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.hpp"

namespace railhead::test {
namespace {

namespace fs = std::filesystem;

template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? value->to_string() : "-";
}

// Where none is as good as its own (mlx5), one word for both.
std::string mac_of(const FakePf& pf, const FakeVf& vf) {
  if (!pf.driver.makes_node_guid) return text_of(vf.attributes.mac);
  if (vf.made_node_guid && vf.attributes.mac->is_zero()) return "none, and its node GUID of that";
  return vf.attributes.mac->is_zero() || vf.attributes.mac == vf.own_mac
             ? "none or its own"
             : text_of(vf.attributes.mac);
}

std::string describe(const FakePf& pf, const FakeVf& fake) {
  const auto& vf = fake.attributes;
  std::string text = "mac " + mac_of(pf, fake);
  if (vf.vlan)
    text += fmt::format(" vlan {}/{}/{:x}", vf.vlan->id, vf.vlan->qos, vf.vlan->protocol);
  if (vf.rate) text += fmt::format(" rate {}-{}", vf.rate->min_tx, vf.rate->max_tx);
  if (vf.spoofchk) text += fmt::format(" spoofchk {}", *vf.spoofchk);
  if (vf.trust) text += fmt::format(" trust {}", *vf.trust);
  if (vf.link_state) text += fmt::format(" link_state {}", to_string(*vf.link_state));
  return text + " guids " + text_of(vf.node_guid) + " " + text_of(vf.port_guid);
}

// Of IPoIB the port's GUID: the QPN before it is another one whenever the netdev is made anew.
std::string address_of(const host::Link& link) {
  auto text = link.address.to_string();
  return link.type == 32 ? text.substr(text.size() - 23) : text;
}

std::string describe(const FakeLink& fake) {
  const auto& link = fake.link;
  auto alt_names = link.alt_names;
  std::sort(alt_names.begin(), alt_names.end());
  std::vector<std::string> use;
  for (const auto& address : fake.addresses) use.push_back(address.to_string());
  for (const auto& route : fake.routes) {
    use.push_back(fmt::format("{} via {} metric {} from {} by {}", route.destination.to_string(),
                              text_of(route.gateway), route.metric.value_or(0),
                              text_of(route.source), route.protocol.value_or(0)));
  }
  std::sort(use.begin(), use.end());
  return fmt::format(
      "link {} alias \"{}\" alt [{}] mac {} broadcast {} mode {} mtu {} flags {:x} master {} "
      "programs {} ethtool {} [{}]",
      link.name, link.alias, join(alt_names, " "), address_of(link), link.broadcast.to_string(),
      link.link_mode, link.mtu, link.flags, link.master.value_or(0), fake.programs.size(),
      fake.ethtool, join(use, ", "));
}

std::vector<std::string> files_below(const std::string& root, bool with_content) {
  std::vector<std::string> lines;
  std::error_code missing;
  for (const auto& entry : fs::recursive_directory_iterator(root, missing)) {
    if (!entry.is_regular_file() && !entry.is_symlink()) continue;
    std::string line = entry.path().string().substr(root.size());
    if (with_content) {
      std::ifstream file(entry.path());
      std::stringstream content;
      content << file.rdbuf();
      line += " " + std::string(trim(content.str()));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

std::string standing(FakeHost& fake) {
  std::vector<std::string> lines;
  for (const auto& link : fake.kernel.links) {
    if (link->netns == fake.kernel.host_netns) lines.push_back(describe(*link));
  }
  for (const auto& pf : fake.kernel.pfs) {
    for (const auto& vf : pf->vfs) {
      lines.push_back("vf " + vf.address.to_string() + " " + describe(*pf, vf) +
                      (vf.admin_mac && !pf->driver.makes_node_guid ? " forced" : "") +
                      (vf.trusted ? " trusted" : "") + " holds " + vf.hardware_state);
    }
  }
  for (const auto& device : fake.kernel.rdma) {
    if (device->netns != fake.kernel.host_netns) continue;
    lines.push_back(fmt::format("rdma {} of {} guid {}", device->device.name, device->function.name,
                                device->device.node_guid.to_string()));
  }
  for (auto& line : files_below(fake.host.roots.proc + "/sys/net", true)) {
    lines.push_back("sysctl " + line);
  }
  for (const char* folder : {"/attachments", "/devices", "/debts"}) {
    for (auto& line : files_below(fake.host.roots.run + folder, false)) {
      lines.push_back(std::string(folder) + line);
    }
  }
  std::sort(lines.begin(), lines.end());
  return join(lines, "\n");
}

}  // namespace railhead::test
