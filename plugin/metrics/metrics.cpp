#include "plugin/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "plugin/metrics/now_text.hpp"

namespace railhead::metrics {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

// Seconds. An Allocate is some files, a scan some tens of milliseconds on a large node.
using Buckets = prometheus::Histogram::BucketBoundaries;
Buckets call_buckets() { return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1}; }
Buckets update_buckets() { return {0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 5}; }

}  // namespace

class Metrics::Impl {
 public:
  explicit Impl(std::string_view version) {
    BuildGauge()
        .Name("railhead_build_info")
        .Help("The agent's version, as a label: 1")
        .Register(registry)
        .Add({{"version", std::string(version)}})
        .Set(1);
  }

  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& allocations =
      BuildCounter()
          .Name("railhead_allocations_total")
          .Help("Allocate calls of kubelet, one per container and resource, by result")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& pre_starts =
      BuildCounter()
          .Name("railhead_pre_starts_total")
          .Help("PreStartContainer calls of kubelet, one per start of a container and resource")
          .Register(registry);
  prometheus::Histogram& allocate = BuildHistogram()
                                        .Name("railhead_allocate_seconds")
                                        .Help("Time of an Allocate")
                                        .Register(registry)
                                        .Add({}, call_buckets());
  prometheus::Histogram& list_and_watch =
      BuildHistogram()
          .Name("railhead_list_and_watch_seconds")
          .Help("Time of a ListAndWatch update, until it is on its way to kubelet")
          .Register(registry)
          .Add({}, call_buckets());
  prometheus::Histogram& event_to_update =
      BuildHistogram()
          .Name("railhead_event_to_update_seconds")
          .Help("Time from a kernel event to the ListAndWatch update it led to")
          .Register(registry)
          .Add({}, update_buckets());
  prometheus::Family<prometheus::Counter>& rescans = BuildCounter()
                                                         .Name("railhead_rescans_total")
                                                         .Help("Looks at the node, by their reason")
                                                         .Register(registry);
  prometheus::Family<prometheus::Counter>& config_reloads =
      BuildCounter()
          .Name("railhead_config_reloads_total")
          .Help("Readings of the configuration, by result")
          .Register(registry);
  prometheus::Counter& port_polls = BuildCounter()
                                        .Name("railhead_port_polls_total")
                                        .Help("Looks at RDMA ports whose state no event tells")
                                        .Register(registry)
                                        .Add({});
  prometheus::Family<prometheus::Counter>& owner_questions =
      BuildCounter()
          .Name("railhead_owner_questions_total")
          .Help("Questions of the CNI program who holds a device, by what was answered")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& resolve_questions =
      BuildCounter()
          .Name("railhead_resolve_questions_total")
          .Help("Questions of the CNI program which devices a pod has, by what was answered")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& cluster_questions =
      BuildCounter()
          .Name("railhead_cluster_questions_total")
          .Help("Questions of the CNI program what the cluster has")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& statuses =
      BuildCounter()
          .Name("railhead_statuses_total")
          .Help("Pods whose network-status was written, or taken by none")
          .Register(registry);
};

Metrics::Metrics(std::string_view version) : impl_(std::make_unique<Impl>(version)) {}
Metrics::~Metrics() = default;

void Metrics::allocated(const std::string& resource, bool done, Seconds took) {
  impl_->allocations.Add({{"resource", resource}, {"result", done ? "ok" : "error"}}).Increment();
  impl_->allocate.Observe(took.count());
}

void Metrics::pre_started(const std::string& resource, const std::string& result) {
  impl_->pre_starts.Add({{"resource", resource}, {"result", result}}).Increment();
}

void Metrics::devices_sent(Seconds took) { impl_->list_and_watch.Observe(took.count()); }
void Metrics::event_answered(Seconds took) { impl_->event_to_update.Observe(took.count()); }
void Metrics::rescanned(const std::string& reason) {
  impl_->rescans.Add({{"reason", reason}}).Increment();
}
void Metrics::config_read(bool taken) {
  impl_->config_reloads.Add({{"result", taken ? "ok" : "error"}}).Increment();
}
void Metrics::port_polled() { impl_->port_polls.Increment(); }
void Metrics::owner_asked(const std::string& result) {
  impl_->owner_questions.Add({{"result", result}}).Increment();
}

void Metrics::resolve_asked(const std::string& result) {
  impl_->resolve_questions.Add({{"result", result}}).Increment();
}

void Metrics::cluster_asked(const std::string& verb, const std::string& result) {
  impl_->cluster_questions.Add({{"verb", verb}, {"result", result}}).Increment();
}

void Metrics::status_written(const std::string& result) {
  impl_->statuses.Add({{"result", result}}).Increment();
}

std::string Metrics::text(const Now& now) const {
  auto families = impl_->registry.Collect();
  // A family without samples has a HELP line all the same, which is of no use to anybody.
  std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families) + text_of(now);
}

}  // namespace railhead::metrics
