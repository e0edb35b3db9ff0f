// The project's own grammar: what both others can say, and more.
#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"

namespace railhead::config {
namespace {

template <class T>
struct Word {
  std::string_view text;
  T value;
};

// One of these words.
template <class T>
std::optional<T> find_word(Object& object, const char* key, std::initializer_list<Word<T>> words) {
  const auto text = object.string(key);
  if (!text) return std::nullopt;
  std::string expected;
  for (const auto& word : words) {
    if (*text == word.text) return word.value;
    expected += fmt::format("{}\"{}\"", expected.empty() ? "" : " or ", word.text);
  }
  object.error(key, fmt::format("\"{}\": expected {}", *text, expected));
  return std::nullopt;
}

// The first of them when the key is missing.
template <class T>
T read_word(Object& object, const char* key, std::initializer_list<Word<T>> words) {
  return find_word(object, key, words).value_or(words.begin()->value);
}

// A key with one possible word.
bool read_switch(Object& object, const char* key, std::string_view word) {
  return read_word<bool>(object, key, {{"", false}, {word, true}});
}

Concern read_concern(Object& object, const char* key) {
  return read_word<Concern>(
      object, key,
      {{"warn", Concern::warn}, {"ignore", Concern::ignore}, {"require", Concern::require}});
}

void read_sharing(Object& object, Resource& resource, Draft& draft) {
  const bool shared = read_word<bool>(object, "kind", {{"exclusive", false}, {"shared", true}});
  const auto shares = draft.number(object, "perDevice", 1, kMaxSharesPerDevice);
  const auto host_network_only = object.boolean("hostNetworkOnly");
  if (!shared) {
    for (const auto* key : {"perDevice", "hostNetworkOnly"}) {
      if (object.value(key)) object.error(key, "is for kind: shared only");
    }
    return;
  }
  if (!object.value("perDevice")) {
    object.error("perDevice", "missing; expected the number of shares of each RDMA device");
  }
  if (resource.type == DeviceType::accelerator) {
    object.error("kind", "\"shared\": RDMA devices are shared, an accelerator has none");
  }
  resource.sharing =
      Sharing{Sharing::Unit::device, shares.value_or(1), host_network_only.value_or(false)};
  for (auto& selector : resource.selectors) {
    if (selector.vdpa) object.error("kind", "\"shared\": a vDPA device cannot be shared");
    selector.is_rdma = true;
  }
}

// Functions that may get VFs are offered only where that is asked for: making the VFs would take
// them away again.
void read_functions(Object& object, Resource& resource) {
  using Kind = Word<FunctionKind>;  // clang 14 does not deduce it
  constexpr std::array kWords = {Kind{"vf", FunctionKind::vf}, Kind{"nic", FunctionKind::nic},
                                 Kind{"pf", FunctionKind::pf}};
  if (resource.type == DeviceType::net && !resource.sharing) {
    resource.functions = {FunctionKind::vf, FunctionKind::nic};
  }
  if (!object.value("functions")) return;
  if (resource.type != DeviceType::net) {
    return object.error("functions", "is for deviceType: netDevice only");
  }
  const auto texts = object.strings("functions");
  if (!texts) return;
  resource.functions.clear();
  for (size_t i = 0; i < texts->size(); ++i) {
    const auto word = std::ranges::find(kWords, (*texts)[i], &Word<FunctionKind>::text);
    if (word != kWords.end()) {
      resource.functions.insert(word->value);
    } else {
      object.error(fmt::format("functions[{}]", i),
                   fmt::format("\"{}\": expected \"vf\" or \"nic\" or \"pf\"", (*texts)[i]));
    }
  }
  if (texts->empty()) object.error("functions", "is empty; expected \"vf\", \"nic\" or \"pf\"");
}

void read_addressed(Object& object, Resource& resource) {
  const auto allowed = object.boolean("allowAddressed");
  if (allowed && resource.sharing) {
    object.error("allowAddressed", "is for kind: exclusive only; what is shared stays on the host");
  }
  resource.addressed = allowed.value_or(false) ? Addressed::allow : Addressed::refuse;
}

bool selects_rdma(const Resource& resource) {
  return std::any_of(resource.selectors.begin(), resource.selectors.end(),
                     [](const Selector& one) { return one.is_rdma; });
}

void read_health(Object& object, Resource& resource, Draft& draft) {
  auto health = object.object("health");
  if (!health) return;
  if (resource.type == DeviceType::accelerator) {
    object.error("health", "is that of network ports; an accelerator has none");
  }
  resource.health = {read_concern(*health, "link"), read_concern(*health, "rdma")};
  if (resource.health.rdma == Concern::require && !selects_rdma(resource)) {
    health->error("rdma",
                  "\"require\": is asked of RDMA devices; expected a selector with isRdma: true");
  }
  report_unknown_keys(*health, Grammar::pools, Level::health, draft);
}

// What a subnet manager opens; others need it never, and with it may become one.
void read_issm(Object& object, Resource& resource) {
  resource.issm = object.boolean("issm").value_or(false);
  if (resource.issm && !selects_rdma(resource)) {
    object.error("issm", "is a node of RDMA devices; expected a selector with isRdma: true");
  }
}

}  // namespace

void read_pools_item(Object& object, Resource& resource, Draft& draft) {
  draft.read_name(object, draft.default_prefix, resource);
  read_device_keys(object, Grammar::pools, resource, draft);
  read_sharing(object, resource, draft);
  read_functions(object, resource);
  read_addressed(object, resource);
  read_issm(object, resource);
  read_health(object, resource, draft);
  resource.near = read_word<Near>(object, "near",
                                  {{"gpu", Near::gpu}, {"numa", Near::numa}, {"none", Near::none}});
  resource.order = find_word<Order>(
      object, "order",
      {{"packed", Order::packed}, {"spread", Order::spread}, {"rail", Order::rail}});
  if (resource.near == Near::numa && resource.order) {
    draft.warning(object.path_of("near") + ": numa tells nothing where order is written");
  }
  resource.rails_auto = read_switch(object, "rails", "auto");
  resource.nccl_env = read_switch(object, "env", "nccl");
  if (resource.nccl_env && !selects_rdma(resource)) {
    object.error("env", "\"nccl\": names RDMA devices; expected a selector with isRdma: true");
  }
  report_unknown_keys(object, Grammar::pools, Level::resource, draft);
}

}  // namespace railhead::config
