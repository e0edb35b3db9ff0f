#pragma once
// The agent's side of lib/ipc: messages in and out, whatever they say.
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/unique_fd.hpp"

namespace railhead::ipc {

// Answers one question on each connection, on the loop, and never waits. Who connects must be root
// or this program's user, and can hold no more than a connection, a message and a few seconds.
//
// All calls are made on the loop's thread, or while the loop does not turn.
class Server {
 public:
  // Sends a text as the answer, now or later; the first one counts. It may outlive the connection
  // and the server.
  using Reply = std::function<void(const std::string& text)>;
  using Handler = std::function<void(std::string_view text, const Reply& reply)>;

  struct Limits {
    // At a time. The next takes the place of the one that has been longest in putting its question;
    // while all of them have put theirs it waits in the kernel's queue.
    size_t connections = 32;
    std::chrono::milliseconds connection_time{5'000};  // of a connection, all in all
    std::chrono::milliseconds pause{1'000};            // while no descriptor is left
  };

  // All outlives it. It does not listen yet.
  Server(Loop& loop, const Clock& clock, std::string path, Handler handler, Logger& log,
         const Limits& limits);
  Server(Loop& loop, const Clock& clock, std::string path, Handler handler, Logger& log)
      : Server(loop, clock, std::move(path), std::move(handler), log, Limits{}) {}
  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Makes the socket, 0600, in place of what stands at its path: only one program at a time may
  // listen there, and it is for the caller to know that this one is it. Nobody finds a socket that
  // does not listen yet. Errors: as bind(2), rename(2).
  [[nodiscard]] Result<void> listen();
  // Ends the connections, and removes the socket's file unless another one stands there.
  void stop();

 private:
  enum class State { reading, answering, writing };
  struct Connection {
    Connection(Loop& loop, UniqueFd socket) : fd(std::move(socket)), deadline(loop, [] {}) {}
    UniqueFd fd;
    State state = State::reading;
    std::string received;
    std::string answer;
    size_t sent = 0;
    Loop::Watch watch;
    Loop::Timer deadline;
  };
  using Peer = std::shared_ptr<Connection>;
  using Peers = std::list<Peer>;

  [[nodiscard]] Result<UniqueFd> publish();
  [[nodiscard]] Peers::iterator first_to_go();
  [[nodiscard]] bool has_room();
  void wait_for_connections();
  void accept();
  void serve(UniqueFd fd);
  void read(const Peer& peer);
  void answer(const Peer& peer, std::string_view text);
  void reply(const Peer& peer, const std::string& text);
  void write(const Peer& peer);
  void wait_for(const Peer& peer, uint32_t events, void (Server::*then)(const Peer&));
  void end(const Peer& peer);

  // Which file at path_ is this server's.
  struct File {
    dev_t device;
    ino_t inode;
  };

  Loop& loop_;
  const Clock& clock_;
  const std::string path_;
  const Handler handler_;
  Logger& log_;
  const Limits limits_;
  std::optional<File> file_;
  UniqueFd listener_;
  Loop::Watch accepting_;
  Loop::Timer paused_;
  Peers peers_;  // the oldest first
};

}  // namespace railhead::ipc
