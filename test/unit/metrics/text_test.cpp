// What Prometheus reads.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "plugin/metrics/metrics.hpp"

using namespace railhead;
using namespace railhead::metrics;
using Catch::Matchers::ContainsSubstring;

namespace {

DeviceCounters device(std::vector<Holder> holders, std::vector<PortCounters> ports,
                      const std::string& name = "mlx5_4") {
  return {{"0000:3b:00.2", *PciAddress::parse("0000:3b:00.2"), "rdma/vf", std::move(holders)},
          name,
          std::move(ports)};
}

CountedDevice held(const std::string& id, std::vector<Holder> holders) {
  return {id, *PciAddress::parse("0000:3b:00.2"), "rdma/vf", std::move(holders)};
}

size_t count(const std::string& text, std::string_view what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

const Holder kTrainer{"ml", "trainer-0", "main"};

}  // namespace

TEST_CASE("Pools are told by resource and health, with whether kubelet watches them") {
  const Metrics metrics("1.2.3");
  const auto text = metrics.text({.pools = {{"rdma/vf", true, 5, 3, {{"held", 2}, {"port", 1}}},
                                            {"rdma/hca", false, 0, 0, {}}}});
  CHECK_THAT(text,
             ContainsSubstring("railhead_pool_devices{resource=\"rdma/vf\",health=\"healthy\"} 5"));
  CHECK_THAT(text, ContainsSubstring(
                       "railhead_pool_devices{resource=\"rdma/vf\",health=\"unhealthy\"} 3"));
  CHECK_THAT(text, ContainsSubstring("railhead_pool_unhealthy_devices{resource=\"rdma/vf\","
                                     "reason=\"held\"} 2\n"
                                     "railhead_pool_unhealthy_devices{resource=\"rdma/vf\","
                                     "reason=\"port\"} 1\n"));
  CHECK_THAT(text, ContainsSubstring("railhead_pool_registered{resource=\"rdma/vf\"} 1"));
  CHECK_THAT(text, ContainsSubstring("railhead_pool_registered{resource=\"rdma/hca\"} 0"));
  CHECK_THAT(text, ContainsSubstring("railhead_build_info{version=\"1.2.3\"} 1"));
}

TEST_CASE("What happened is counted, and times are in seconds") {
  Metrics metrics("1");
  metrics.allocated("rdma/vf", true, std::chrono::milliseconds(2));
  metrics.allocated("rdma/vf", true, std::chrono::milliseconds(4));
  metrics.allocated("rdma/vf", false, std::chrono::milliseconds(1));
  metrics.devices_sent(std::chrono::milliseconds(30));
  metrics.event_answered(std::chrono::milliseconds(120));
  metrics.rescanned("uevent");
  metrics.config_read(false);
  metrics.port_polled();
  metrics.owner_asked("held");
  metrics.owner_asked("held");
  metrics.resolve_asked("known");
  const auto text = metrics.text({.config_current = true, .memlock_limit = 8 << 20});
  for (const auto* line :
       {"railhead_allocations_total{resource=\"rdma/vf\",result=\"ok\"} 2\n",
        "railhead_allocations_total{resource=\"rdma/vf\",result=\"error\"} 1\n",
        "railhead_allocate_seconds_count 3\n",
        "railhead_allocate_seconds_bucket{le=\"0.0025\"} 2\n",
        "railhead_list_and_watch_seconds_count 1\n", "railhead_event_to_update_seconds_count 1\n",
        "railhead_event_to_update_seconds_bucket{le=\"0.1\"} 0\n",
        "railhead_event_to_update_seconds_bucket{le=\"0.15\"} 1\n",
        "railhead_rescans_total{reason=\"uevent\"} 1\n",
        "railhead_config_reloads_total{result=\"error\"} 1\n", "railhead_port_polls_total 1\n",
        "railhead_owner_questions_total{result=\"held\"} 2\n",
        "railhead_resolve_questions_total{result=\"known\"} 1\n", "railhead_config_current 1\n",
        "railhead_memlock_limit_bytes 8388608\n"}) {
    CHECK_THAT(text, ContainsSubstring(line));
  }
}

TEST_CASE("Data counters are bytes, not the words of four bytes that the port counts") {
  const Metrics metrics("1");
  const auto text = metrics.text(
      {.counters = {.devices = {device({kTrainer}, {{.port = 1,
                                                     .state = 4,
                                                     .port_counters = {{"port_rcv_data", 250},
                                                                       {"port_xmit_data", 1000},
                                                                       {"port_rcv_packets", 3},
                                                                       {"port_xmit_packets", 4},
                                                                       {"symbol_error", 5}},
                                                     .hw_counters = {{"out_of_sequence", 6}}}})}}});
  const std::string labels =
      "{device=\"mlx5_4\",id=\"0000:3b:00.2\",pci=\"0000:3b:00.2\",resource=\"rdma/vf\","
      "port=\"1\"";
  for (const auto* line : {"railhead_port_received_bytes_total%} 1000\n",
                           "railhead_port_transmitted_bytes_total%} 4000\n",
                           "railhead_port_received_packets_total%} 3\n",
                           "railhead_port_transmitted_packets_total%} 4\n",
                           "railhead_port_statistic_total%,counter=\"symbol_error\"} 5\n",
                           "railhead_hw_statistic_total%,counter=\"out_of_sequence\"} 6\n",
                           "railhead_port_state%} 4\n"}) {
    std::string expected = line;
    CHECK_THAT(text, ContainsSubstring(expected.replace(expected.find('%'), 1, labels)));
  }
}

TEST_CASE("Who holds a device is a series of its own, by which the device's others can be joined") {
  const Metrics metrics("1");
  const auto text = metrics.text(
      {.devices = {held("0000:3b:00.2", {kTrainer})},
       .counters = {.devices = {device({kTrainer}, {}), device({kTrainer}, {}, "mlx5_5")}}});
  CHECK(count(text, "railhead_device_holders{") == 1);  // of a function with two RDMA devices
  CHECK_THAT(text, ContainsSubstring("railhead_device_holders{id=\"0000:3b:00.2\","
                                     "pci=\"0000:3b:00.2\",resource=\"rdma/vf\",namespace=\"ml\","
                                     "pod=\"trainer-0\",container=\"main\"} 1\n"));
}

TEST_CASE("Sub-functions of one function are told apart, and devices without counters are told") {
  const Metrics metrics("1");
  const Holder other{"ml", "trainer-1", "main"};
  const auto text =
      metrics.text({.devices = {held("mlx5_core.sf.4", {kTrainer}), held("mlx5_core.sf.5", {other}),
                                held("0000:3b:00.2", {kTrainer})}});
  CHECK(count(text, "railhead_device_holders{") == 3);
  for (const auto* start : {"{id=\"mlx5_core.sf.4\",pci=\"0000:3b:00.2\"",
                            "{id=\"mlx5_core.sf.5\",pci=\"0000:3b:00.2\""}) {
    CHECK(count(text, start) == 1);
  }
}

TEST_CASE("A device that several containers share names them all, and how many they are") {
  const Metrics metrics("1");
  const std::vector<Holder> holders{kTrainer, {"ml", "trainer-1", "main"}};
  const auto text = metrics.text(
      {.devices = {held("0000:3b:00.2", holders)},
       .counters = {
           .devices = {device(holders, {{.port = 1, .port_counters = {{"port_rcv_data", 1}}}})}}});
  CHECK_THAT(text, ContainsSubstring("railhead_port_received_bytes_total{device=\"mlx5_4\","
                                     "id=\"0000:3b:00.2\",pci=\"0000:3b:00.2\","
                                     "resource=\"rdma/vf\",port=\"1\"} 4\n"));
  CHECK(count(text, "railhead_device_holders{") == 2);
  CHECK_THAT(text, ContainsSubstring("pod=\"trainer-1\",container=\"main\"} 2\n"));
}

TEST_CASE("Every family stands in the text once, with its help and type before its samples") {
  Metrics metrics("1");
  metrics.allocated("rdma/vf", true, std::chrono::milliseconds(2));
  const std::vector<PortCounters> ports{
      {.port = 1, .port_counters = {{"port_rcv_data", 1}, {"x", 1}}, .hw_counters = {{"y", 1}}}};
  const auto text = metrics.text(
      {.pools = {{"rdma/vf", true, 1, 0, {}}},
       .counters = {.devices = {device({kTrainer}, ports), device({}, ports, "mlx5_5")}}});
  for (const auto* name :
       {"railhead_port_received_bytes_total", "railhead_port_statistic_total",
        "railhead_hw_statistic_total", "railhead_pool_devices", "railhead_allocations_total"}) {
    const std::string type = std::string("# TYPE ") + name + " ";
    CHECK(count(text, type) == 1);
    CHECK(text.find(type) < text.find(std::string("\n") + name + "{"));
  }
  CHECK(count(text, "\nrailhead_hw_statistic_total{") == 2);
}

TEST_CASE("What there is nothing to tell of is not in the text") {
  const Metrics metrics("1");
  const auto text = metrics.text({});
  for (const auto* absent :
       {"memlock", "pool_devices", "port_received", "hw_counter", "allocations_"}) {
    CHECK(text.find(absent) == std::string::npos);
  }
  CHECK_THAT(text, ContainsSubstring("railhead_devices_out_of_sight 0\n"));
}

TEST_CASE("Names from outside cannot break the text") {
  const Metrics metrics("1");
  const auto text = metrics.text(
      {.devices = {held("0000:3b:00.2", {{"ml", "a\"b\\c\nd", "main"}})},
       .counters = {.devices = {device({}, {{.port = 1, .hw_counters = {{"e\"f", 1}}}})}}});
  CHECK_THAT(text, ContainsSubstring("pod=\"a\\\"b\\\\c\\nd\""));
  CHECK_THAT(text, ContainsSubstring("counter=\"e\\\"f\""));
}
