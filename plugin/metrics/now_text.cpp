#include "plugin/metrics/now_text.hpp"

#include <array>
#include <iterator>
#include <utility>

#include "base/text.hpp"

namespace railhead::metrics {
namespace {

// Labels in the making: `resource="rdma/vf",health="healthy"`.
class Labels {
 public:
  Labels() = default;
  Labels with(std::string_view name, std::string_view value) const {
    Labels more = *this;
    if (!more.text_.empty()) more.text_ += ',';
    more.text_ += name;
    more.text_ += "=\"";
    for (const char c : valid_utf8(value)) {  // an RDMA device may be called anything
      if (c == '\n') {
        more.text_ += "\\n";
        continue;
      }
      if (c == '"' || c == '\\') more.text_ += '\\';
      more.text_ += c;
    }
    more.text_ += '"';
    return more;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// All samples of a name stand together in the text, below its help.
class Family {
 public:
  Family(std::string_view name, std::string_view type, std::string_view help)
      : name_(name), type_(type), help_(help) {}

  void add(const Labels& labels, uint64_t value) {
    auto out = std::back_inserter(samples_);
    if (labels.text().empty()) {
      fmt::format_to(out, "{} {}\n", name_, value);
    } else {
      fmt::format_to(out, "{}{{{}}} {}\n", name_, labels.text(), value);
    }
  }
  // Nothing where there are no samples.
  void append_to(std::string& text) const {
    if (samples_.empty()) return;
    fmt::format_to(std::back_inserter(text), "# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help_,
                   type_);
    text += samples_;
  }

 private:
  std::string_view name_;
  std::string_view type_;
  std::string_view help_;
  std::string samples_;
};

Labels with_holder(const Labels& labels, const Holder& holder) {
  return labels.with("namespace", holder.pod_namespace)
      .with("pod", holder.pod)
      .with("container", holder.container);
}

// `first`: what stands before them.
Labels labels_of(const CountedDevice& device, const Labels& first = {}) {
  const auto labels = first.with("id", device.id).with("pci", device.address.to_string());
  return device.resource.empty() ? labels : labels.with("resource", device.resource);
}

class DeviceFamilies {
 public:
  void add(const DeviceCounters& counters) {
    const auto of_device =
        labels_of(counters.device, Labels().with("device", counters.rdma_device));
    for (const auto& port : counters.ports) {
      const auto labels = of_device.with("port", std::to_string(port.port));
      if (port.state) state_.add(labels, static_cast<uint64_t>(*port.state));
      for (const auto& one : port.port_counters) add_port_counter(labels, one);
      for (const auto& one : port.hw_counters) hw_.add(labels.with("counter", one.name), one.value);
    }
  }
  void append_to(std::string& text) const {
    state_.append_to(text);
    for (const auto& named : named_) named.family.append_to(text);
    others_.append_to(text);
    hw_.append_to(text);
  }

 private:
  void add_port_counter(const Labels& labels, const Counter& one) {
    for (auto& named : named_) {
      if (named.counter == one.name) return named.family.add(labels, one.value * named.unit);
    }
    others_.add(labels.with("counter", one.name), one.value);
  }

  // The traffic itself has names of its own.
  struct Named {
    std::string_view counter;
    uint64_t unit;
    Family family;
  };
  static constexpr uint64_t kDataUnit = 4;  // PortXmitData and PortRcvData count 32 bit words
  std::array<Named, 4> named_{
      Named{"port_rcv_data",
            kDataUnit,
            {"railhead_port_received_bytes_total", "counter", "Data received by a port"}},
      Named{"port_xmit_data",
            kDataUnit,
            {"railhead_port_transmitted_bytes_total", "counter", "Data transmitted by a port"}},
      Named{"port_rcv_packets",
            1,
            {"railhead_port_received_packets_total", "counter", "Packets received by a port"}},
      Named{
          "port_xmit_packets",
          1,
          {"railhead_port_transmitted_packets_total", "counter", "Packets transmitted by a port"}}};
  Family state_{"railhead_port_state", "gauge",
                "State of an RDMA port: 1 DOWN, 2 INIT, 3 ARMED, 4 ACTIVE, 5 ACTIVE_DEFER"};
  Family others_{"railhead_port_statistic_total", "counter",
                 "A port counter of the InfiniBand specification, by its sysfs name"};
  Family hw_{"railhead_hw_statistic_total", "counter",
             "A counter of the device's driver, by its sysfs name"};
};

// A series of its own, to be joined: a device's counters go on when its holder changes. The value
// tells what several share, which counts for none of them. Whether a device has counters, and
// whether they can be read, says nothing of its holders.
void append_holders(const std::vector<CountedDevice>& devices, std::string& text) {
  Family holders{"railhead_device_holders", "gauge",
                 "A container that was given the device, and how many have it"};
  for (const auto& device : devices) {
    for (const auto& holder : device.holders) {
      holders.add(with_holder(labels_of(device), holder), device.holders.size());
    }
  }
  holders.append_to(text);
}

void append_pools(const std::vector<PoolState>& pools, std::string& text) {
  Family devices{"railhead_pool_devices", "gauge",
                 "Devices, or shares of them, that kubelet is told of"};
  Family registered{"railhead_pool_registered", "gauge",
                    "Whether kubelet watches the pool: 1, else 0"};
  Family reasons{"railhead_pool_unhealthy_devices", "gauge",
                 "Devices of the pool that are unhealthy, by the kind of reason"};
  for (const auto& pool : pools) {
    const auto labels = Labels().with("resource", pool.resource);
    devices.add(labels.with("health", "healthy"), pool.healthy);
    devices.add(labels.with("health", "unhealthy"), pool.unhealthy);
    for (const auto& [reason, count] : pool.unhealthy_by_reason) {
      reasons.add(labels.with("reason", reason), count);
    }
    registered.add(labels, pool.registered ? 1 : 0);
  }
  devices.append_to(text);
  reasons.append_to(text);
  registered.append_to(text);
}

void append_one(Family family, uint64_t value, std::string& text) {
  family.add({}, value);
  family.append_to(text);
}

}  // namespace

std::string text_of(const Now& now) {
  std::string text;
  append_pools(now.pools, text);
  append_one({"railhead_config_current", "gauge",
              "Whether the configuration on disk is the one in force: 1, else 0"},
             now.config_current ? 1 : 0, text);
  if (now.memlock_limit) {
    append_one({"railhead_memlock_limit_bytes", "gauge",
                "RLIMIT_MEMLOCK that the runtime gives to containers; absent when there is none"},
               *now.memlock_limit, text);
  }
  append_one({"railhead_devices_out_of_sight", "gauge",
              "RDMA devices in pods' network namespaces whose counters cannot be read"},
             now.counters.out_of_sight.size(), text);
  append_one({"railhead_serving", "gauge", "Whether this agent serves the node: 1; a standby: 0"},
             now.serving ? 1 : 0, text);
  append_holders(now.devices, text);
  DeviceFamilies devices;
  for (const auto& counters : now.counters.devices) devices.add(counters);
  devices.append_to(text);
  return text;
}

}  // namespace railhead::metrics
