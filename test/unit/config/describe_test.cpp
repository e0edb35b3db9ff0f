#include "plugin/config/describe.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {

TEST_CASE("a selector is described by what filters or gives something") {
  config::Selector selector;
  CHECK(config::describe(selector) == "{}");
  selector.vendors = {"15b3"};
  selector.pf_names = {{"p0", std::vector<IndexRange>{{0, 3}, {7, 7}}}, {"p1", std::nullopt}};
  selector.is_rdma = true;
  CHECK(config::describe(selector) == "{vendors: [15b3], pfNames: [p0#0-3,7, p1], isRdma: true}");
}

TEST_CASE("a resource is described with its defaults filled in") {
  config::Resource resource;
  resource.prefix = "rdma";
  resource.name = "hca";
  resource.selectors.resize(2);
  resource.selectors[1].impossible = "vendors";
  resource.sharing = config::Sharing{config::Sharing::Unit::device, 16};
  resource.order = config::Order::rail;
  CHECK(config::describe(resource) ==
        "rdma/hca:\n"
        "  deviceType: netDevice\n"
        "  kind: shared, 16 shares of each device\n"
        "  selectors[0]: {}\n"
        "  selectors[1]: {vendors: what no device can have: it takes none}\n"
        "  functions: [vf, nic, pf]\n"
        "  issm: true\n"
        "  health: {link: warn, rdma: warn}\n"
        "  excludeTopology: false\n"
        "  near: gpu\n"
        "  order: rail\n");
}

}  // namespace railhead::test
