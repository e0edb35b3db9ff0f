#include "attach/vf_settings.hpp"

#include <array>
#include <cerrno>

#include "base/text.hpp"

namespace railhead::attach {

using host::VfAttributes;

namespace {

// One attribute: its value as text (for messages), whether two agree, and copying it alone.
struct Attribute {
  const char* name;
  std::string (*text)(const VfAttributes&);  // "" when absent
  void (*copy)(const VfAttributes& from, VfAttributes& to);
};

std::string vlan_text(const VfAttributes& a) {
  if (!a.vlan) return {};
  return fmt::format("{} qos {} proto {}", a.vlan->id, a.vlan->qos,
                     a.vlan->protocol == 0x88a8 ? "802.1ad" : "802.1Q");
}
std::string rate_text(const VfAttributes& a) {
  if (!a.rate) return {};
  return fmt::format("min {} max {} Mbit/s", a.rate->min_tx, a.rate->max_tx);
}
std::string switch_text(const std::optional<bool>& value) {
  if (!value) return {};
  return *value ? "on" : "off";
}
template <class T>
std::string value_text(const std::optional<T>& value) {
  return value ? value->to_string() : std::string();
}

// In the order of apply().
constexpr std::array<Attribute, 8> kAttributes{{
    {"vlan", vlan_text, [](const VfAttributes& from, VfAttributes& to) { to.vlan = from.vlan; }},
    {"tx rate", rate_text, [](const VfAttributes& from, VfAttributes& to) { to.rate = from.rate; }},
    {"spoofchk", [](const VfAttributes& a) { return switch_text(a.spoofchk); },
     [](const VfAttributes& from, VfAttributes& to) { to.spoofchk = from.spoofchk; }},
    {"link_state",
     [](const VfAttributes& a) {
       return a.link_state ? std::string(to_string(*a.link_state)) : std::string();
     },
     [](const VfAttributes& from, VfAttributes& to) { to.link_state = from.link_state; }},
    {"node GUID", [](const VfAttributes& a) { return value_text(a.node_guid); },
     [](const VfAttributes& from, VfAttributes& to) { to.node_guid = from.node_guid; }},
    {"port GUID", [](const VfAttributes& a) { return value_text(a.port_guid); },
     [](const VfAttributes& from, VfAttributes& to) { to.port_guid = from.port_guid; }},
    {"admin MAC", [](const VfAttributes& a) { return value_text(a.mac); },
     [](const VfAttributes& from, VfAttributes& to) { to.mac = from.mac; }},
    {"trust", [](const VfAttributes& a) { return switch_text(a.trust); },
     [](const VfAttributes& from, VfAttributes& to) { to.trust = from.trust; }},
}};

}  // namespace

VfAttributes difference(const VfAttributes& now, const VfAttributes& wanted) {
  VfAttributes change;
  for (const auto& attribute : kAttributes) {
    const std::string text = attribute.text(wanted);
    if (!text.empty() && text != attribute.text(now)) attribute.copy(wanted, change);
  }
  return change;
}

bool is_not_ready(const Error& error) {
  return error.os_errno == EBUSY || error.os_errno == EAGAIN;
}

VfAttributes told_of(const VfAttributes& now, const VfAttributes& wanted) {
  VfAttributes told;
  for (const auto& attribute : kAttributes) {
    if (!attribute.text(now).empty()) attribute.copy(wanted, told);
  }
  return told;
}

namespace {

Result<void> apply_one(host::Links& links, uint32_t pf_index, uint32_t vf,
                       const Attribute& attribute, const VfAttributes& change) {
  VfAttributes one;
  attribute.copy(change, one);
  auto done = links.change_vf(pf_index, vf, one);
  if (done) return done;
  if (one.rate) {  // sriov-cni's words
    return pass(done, fmt::format("failed to set vf {} min_tx_rate to {} Mbps: max_tx_rate to "
                                  "{} Mbps",
                                  vf, one.rate->min_tx, one.rate->max_tx));
  }
  return pass(done, fmt::format("failed to set {} {}", attribute.name, attribute.text(change)));
}

}  // namespace

Result<void> apply(host::Links& links, uint32_t pf_index, uint32_t vf, const VfAttributes& change,
                   OnError on_error) {
  Result<void> first;
  for (const auto& attribute : kAttributes) {
    if (attribute.text(change).empty()) continue;
    auto done = apply_one(links, pf_index, vf, attribute, change);
    if (!done && (first || (is_not_ready(done.error()) && !is_not_ready(first.error())))) {
      first = done;
    }
    if (!done && on_error == OnError::stop) break;
  }
  return first;
}

Result<void> take_off_admin_mac(host::Links& links, uint32_t pf_index, uint32_t vf,
                                VfAttributes& now) {
  if (!now.mac || now.mac->is_zero()) return {};
  VfAttributes off;
  off.mac = HwAddress::parse("00:00:00:00:00:00");
  if (auto done = apply(links, pf_index, vf, off); !done) return done;
  now.mac = off.mac;
  return {};
}

std::string names_of(const VfAttributes& attributes) {
  std::vector<std::string> names;
  for (const auto& attribute : kAttributes) {
    if (!attribute.text(attributes).empty()) names.emplace_back(attribute.name);
  }
  return join(names, ", ");
}

std::string describe_difference(const VfAttributes& now, const VfAttributes& wanted) {
  std::string text;
  for (const auto& attribute : kAttributes) {
    const std::string want = attribute.text(wanted);
    const std::string have = attribute.text(now);
    if (want.empty() || want == have) continue;
    text += fmt::format("{}{} is {}, not {}", text.empty() ? "" : "; ", attribute.name,
                        have.empty() ? "unknown" : have, want);
  }
  return text;
}

}  // namespace railhead::attach
