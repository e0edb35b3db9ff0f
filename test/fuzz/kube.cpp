#include <nlohmann/json.hpp>

#include "plugin/kube/access.hpp"
#include "plugin/kube/claim_status.hpp"
#include "plugin/kube/items.hpp"
#include "plugin/kube/objects.hpp"

// What an API server, or whoever stands in its place, answers.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::kube;
  using Json = nlohmann::ordered_json;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto look = [](std::string_view item) {
    const auto json = Json::parse(item, nullptr, false);
    if (const auto pod = read_pod(json)) (void)path_of_pod(pod->name);
    if (const auto nad = read_nad(json)) (void)path_of_nad(nad->name);
    (void)read_slice(json);
    (void)resource_version(json);
  };
  ListSplitter whole(look);
  ListSplitter cut([](auto) {});
  LineSplitter lines(look);
  const bool is_good = whole.feed(text).has_value();
  bool is_good_cut = true;
  for (const char& c : text) is_good_cut = is_good_cut && cut.feed({&c, 1}).has_value();
  if (is_good != is_good_cut || whole.rest() != cut.rest()) __builtin_trap();
  (void)lines.feed(text);
  (void)claim_status(text, {{"d", "p", "n", "r", "x"}}, {{"x", "net1", "", {}}});
  (void)node_of(text);
  (void)refusal_of(500, text);
  return 0;
}
