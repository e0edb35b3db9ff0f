#include "plugin/metrics/families.hpp"

#include <array>
#include <utility>

namespace railhead::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// A family to be filled; one without samples is left out of the answer.
class Family {
 public:
  Family(std::string name, std::string help, MetricType type) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }
  void add(Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family_.metric.push_back(std::move(metric));
  }
  void move_to(std::vector<MetricFamily>& families) {
    if (!family_.metric.empty()) families.push_back(std::move(family_));
  }

 private:
  MetricFamily family_;
};

Family gauge(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Gauge};
}
Family counter(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Counter};
}

void add_holder(Labels& labels, const Holder& holder) {
  labels.push_back({"namespace", holder.pod_namespace});
  labels.push_back({"pod", holder.pod});
  labels.push_back({"container", holder.container});
}

// Whose counters they are. What several containers share is nobody's: railhead_device_holders
// names them.
Labels labels_of(const DeviceCounters& counters) {
  Labels labels{{"device", counters.rdma_device}, {"pci", counters.device.address.to_string()}};
  if (!counters.device.resource.empty()) labels.push_back({"resource", counters.device.resource});
  if (counters.device.holders.size() == 1) add_holder(labels, counters.device.holders.front());
  return labels;
}

Labels with(Labels labels, std::string name, std::string value) {
  labels.push_back({std::move(name), std::move(value)});
  return labels;
}

class PortFamilies {
 public:
  void add(const DeviceCounters& counters) {
    const auto of_device = labels_of(counters);
    for (const auto& port : counters.ports) {
      const auto labels = with(of_device, "port", std::to_string(port.port));
      if (port.state) state_.add(labels, *port.state);
      for (const auto& one : port.port_counters) add_port_counter(labels, one);
      for (const auto& one : port.hw_counters) {
        hw_.add(with(labels, "counter", one.name), static_cast<double>(one.value));
      }
    }
  }
  void move_to(std::vector<MetricFamily>& families) {
    state_.move_to(families);
    for (auto& named : named_) named.family.move_to(families);
    others_.move_to(families);
    hw_.move_to(families);
  }

 private:
  void add_port_counter(const Labels& labels, const Counter& one) {
    const auto value = static_cast<double>(one.value);
    for (auto& named : named_) {
      if (named.counter == one.name) return named.family.add(labels, value * named.unit);
    }
    others_.add(with(labels, "counter", one.name), value);
  }

  // The traffic itself has names of its own.
  struct Named {
    std::string_view counter;
    double unit;
    Family family;
  };
  static constexpr double kDataUnit = 4;  // PortXmitData and PortRcvData count 32 bit words
  std::array<Named, 4> named_{
      Named{"port_rcv_data", kDataUnit,
            counter("railhead_port_received_bytes_total", "Data received by a port")},
      Named{"port_xmit_data", kDataUnit,
            counter("railhead_port_transmitted_bytes_total", "Data transmitted by a port")},
      Named{"port_rcv_packets", 1,
            counter("railhead_port_received_packets_total", "Packets received by a port")},
      Named{"port_xmit_packets", 1,
            counter("railhead_port_transmitted_packets_total", "Packets transmitted by a port")}};
  Family state_ = gauge("railhead_port_state",
                        "State of an RDMA port: 1 DOWN, 2 INIT, 3 ARMED, 4 ACTIVE, 5 ACTIVE_DEFER");
  Family others_ = counter("railhead_port_statistic_total",
                           "A port counter of the InfiniBand specification, by its sysfs name");
  Family hw_ =
      counter("railhead_hw_statistic_total", "A counter of the device's driver, by its sysfs name");
};

void add_pools(const Now& now, std::vector<MetricFamily>& families) {
  auto devices =
      gauge("railhead_pool_devices", "Devices, or shares of them, that kubelet is told of");
  auto registered =
      gauge("railhead_pool_registered", "Whether kubelet watches the pool: 1, else 0");
  for (const auto& pool : now.pools) {
    const Labels labels{{"resource", pool.resource}};
    devices.add(with(labels, "health", "healthy"), static_cast<double>(pool.healthy));
    devices.add(with(labels, "health", "unhealthy"), static_cast<double>(pool.unhealthy));
    registered.add(labels, pool.registered ? 1 : 0);
  }
  devices.move_to(families);
  registered.move_to(families);
}

void add_devices(const Sweep& sweep, std::vector<MetricFamily>& families) {
  auto holders = gauge("railhead_device_holders", "A container that was given the RDMA device: 1");
  PortFamilies ports;
  for (const auto& counters : sweep.devices) {
    for (const auto& holder : counters.device.holders) {
      Labels labels{{"device", counters.rdma_device},
                    {"pci", counters.device.address.to_string()},
                    {"resource", counters.device.resource}};
      add_holder(labels, holder);
      holders.add(std::move(labels), 1);
    }
    ports.add(counters);
  }
  holders.move_to(families);
  ports.move_to(families);
  auto out_of_sight =
      gauge("railhead_devices_out_of_sight",
            "RDMA devices in pods' network namespaces whose counters cannot be read");
  out_of_sight.add({}, static_cast<double>(sweep.out_of_sight.size()));
  out_of_sight.move_to(families);
}

}  // namespace

std::vector<MetricFamily> families_of(const Now& now) {
  std::vector<MetricFamily> families;
  add_pools(now, families);
  auto current = gauge("railhead_config_current",
                       "Whether the configuration on disk is the one in force: 1, else 0");
  current.add({}, now.config_current ? 1 : 0);
  current.move_to(families);
  auto memlock = gauge("railhead_memlock_limit_bytes",
                       "RLIMIT_MEMLOCK that the runtime gave to the agent's container, and gives "
                       "to pods; absent when there is none");
  if (now.memlock_limit) memlock.add({}, static_cast<double>(*now.memlock_limit));
  memlock.move_to(families);
  add_devices(now.counters, families);
  return families;
}

}  // namespace railhead::metrics
