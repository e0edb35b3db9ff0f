#pragma once
#include <chrono>
#include <functional>
#include <memory>

#include "base/error.hpp"
#include "base/log.hpp"
#include "plugin/http/address.hpp"
#include "plugin/http/message.hpp"

namespace railhead::http {

// Answers GET and HEAD requests one after the other on a thread of its own, which sleeps while
// nobody asks. Whoever connects can hold no more than a connection, a few KiB and a few seconds.
class Server {
 public:
  // The answer to a path that was asked for; runs on the server's thread.
  using Handler = std::function<Response(std::string_view path)>;

  struct Limits {
    // At a time. The next takes the place of the oldest that has its answer, else of the oldest
    // whose request is not whole yet; where there is none it waits in the kernel's queue.
    size_t connections = 16;
    size_t request_bytes = 8192;                        // more is answered with 431
    std::chrono::milliseconds connection_time{10'000};  // of a connection, all in all
    std::chrono::milliseconds retry{1'000};             // between attempts to listen
  };

  // Where the address cannot be had yet, because somebody else listens on it, as the former
  // instance does during an update, or because the machine does not have it, the server tries again
  // until it can. Errors: no such address can ever be, no descriptors left.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const Address& address,
                                                             Handler handler, Logger& log,
                                                             const Limits& limits);
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const Address& address,
                                                             Handler handler, Logger& log) {
    return start(address, std::move(handler), log, Limits{});
  }

  virtual ~Server() = default;  // ends the connections and removes the file of a unix socket
  // From now on nobody can connect. At once, from any thread, also while an answer hangs.
  virtual void stop_listening() = 0;
  // Where it listens, with the port that the kernel chose for 0. Errors: why it does not yet.
  [[nodiscard]] virtual Result<Address> address() const = 0;
};

}  // namespace railhead::http
