#include "host/events.hpp"

namespace railhead::host {

void EventBatch::add(const EventBatch& other) {
  causes.insert(causes.end(), other.causes.begin(), other.causes.end());
  lost = lost || other.lost;
  recoveries.insert(recoveries.end(), other.recoveries.begin(), other.recoveries.end());
  links = links || other.links;
  rdma = rdma || other.rdma;
  functions.insert(other.functions.begin(), other.functions.end());
  everything = everything || other.everything;
}

}  // namespace railhead::host
