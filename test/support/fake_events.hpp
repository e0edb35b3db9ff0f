#pragma once
// host::Events of which the test is the kernel.
#include <algorithm>
#include <utility>

#include <sys/eventfd.h>

#include "base/unique_fd.hpp"
#include "host/events.hpp"

namespace railhead::test {

class FakeEvents final : public host::Events {
 public:
  // Without a hint where to look.
  void happen(const std::string& cause) {
    happen(host::EventBatch{.causes = {cause}, .everything = true});
  }
  void happen(const host::EventBatch& batch) {
    batch_.add(batch);
    eventfd_write(fd_.get(), 1);
  }
  void lose() {
    batch_.lost = true;
    batch_.everything = true;
    eventfd_write(fd_.get(), 1);
  }
  void recover(const std::string& function, const std::string& step) {
    batch_.recoveries.push_back({function, step});
    happen("pci change " + function);
  }

  int fd() const override { return fd_.get(); }
  host::EventBatch read() override {
    eventfd_t count = 0;
    eventfd_read(fd_.get(), &count);
    return std::exchange(batch_, {});
  }

 private:
  UniqueFd fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  host::EventBatch batch_;
};

}  // namespace railhead::test
