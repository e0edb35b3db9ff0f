#pragma once
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "netlink/wire.hpp"

struct nl_sock;

namespace railhead::netlink {

// A netlink socket, born in the calling thread's network namespace and staying in it. One request
// at a time; not for use by several threads at once.
class Socket {
 public:
  using Each = std::function<Result<void>(const Message&)>;

  // `protocol`: NETLINK_ROUTE, NETLINK_RDMA, NETLINK_GENERIC. EPROTONOSUPPORT: the kernel has no
  // such family.
  static Result<Socket> open(int protocol);

  // Sends a request and gives every answer to `each` until the kernel acknowledges it. Errors: the
  // kernel's errno with its text; timeout after 60 s; what `each` returned.
  Result<void> exchange(Request request, const Each& each = {});

  // Dumps all objects, decoded one by one. The kernel marks a dump during which the table changed
  // (NLM_F_DUMP_INTR): such a one is thrown away and made again. busy: it kept changing.
  template <class T>
  Result<std::vector<T>> dump(const Request& request,
                              const std::function<Result<T>(const Message&)>& decode) {
    for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
      std::vector<T> all;
      auto whole = run(request, [&](const Message& message) -> Result<void> {
        auto one = decode(message);
        if (!one) return pass(one);
        all.push_back(std::move(*one));
        return {};
      });
      if (!whole) return pass(whole);
      if (*whole) return all;
    }
    return fail(ErrorCode::busy, "what was to be listed changed {} times meanwhile", kDumpAttempts);
  }

  [[nodiscard]] int fd() const;

 private:
  static constexpr int kDumpAttempts = 20;
  struct Free {
    void operator()(nl_sock* socket) const;
  };
  using Handle = std::unique_ptr<nl_sock, Free>;

  explicit Socket(Handle handle) : handle_(std::move(handle)) {}
  // False: the dump was interrupted.
  Result<bool> run(Request request, const Each& each);
  Result<std::vector<std::byte>> receive();

  Handle handle_;
  uint32_t sequence_ = 0;
};

}  // namespace railhead::netlink
