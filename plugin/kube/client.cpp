#include "plugin/kube/client.hpp"

#include <array>
#include <utility>
#include <vector>

#include <curl/curl.h>

namespace railhead::kube {
namespace {

// A server that no longer answers is noticed within about a minute.
constexpr long kKeepAliveSeconds = 30;
constexpr long kConnectMs = 5'000;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Headers = std::unique_ptr<curl_slist, FreeList>;

void add(Headers& headers, const std::string& line) {
  headers.reset(curl_slist_append(headers.release(), line.c_str()));
}

// Copied by curl.
curl_blob blob_of(const std::string& text) {
  return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
}

}  // namespace

struct Client::Multi {
  CURLM* handle = curl_multi_init();
  ~Multi() { curl_multi_cleanup(handle); }
};

struct Client::Call::Transfer {
  Client& client;
  Request request;
  Data data;
  Done done;
  Easy easy{curl_easy_init()};
  Headers headers{};
  Reply reply{};
  bool is_enough = false;  // said who takes the data
  bool is_too_long = false;
  std::shared_ptr<Transfer*> unsent{};  // what could not be sent; told of while this lives
  std::array<char, CURL_ERROR_SIZE> text{};

  ~Transfer() {
    if (client.multi_) curl_multi_remove_handle(client.multi_->handle, easy.get());
  }

  [[nodiscard]] bool is_streamed() const {
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return data && status == 200;
  }

  // Of the answer's head; the last one is empty.
  size_t take_line(std::string_view line) {
    if (line == "\r\n" && is_streamed() && !data("")) is_enough = true;
    return is_enough ? 0 : line.size();
  }

  size_t take(const char* bytes, size_t size) {
    if (is_streamed()) {
      if (data({bytes, size})) return size;
      is_enough = true;
      return 0;
    }
    if (reply.body.size() + size > kMaxBody) {
      is_too_long = true;
      return 0;
    }
    reply.body.append(bytes, size);
    return size;
  }

  [[nodiscard]] Result<Reply> end(CURLcode code) {
    const auto who = [&] {
      return fmt::format("{} {}{}", request.method, client.server(), request.path);
    };
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
    curl_off_t wait = 0;
    if (curl_easy_getinfo(easy.get(), CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0) {
      reply.retry_after = std::chrono::seconds(wait);
    }
    if (code == CURLE_OK) return std::move(reply);
    if (is_enough) return fail(ErrorCode::io, "{}: ended from this side", who());
    if (is_too_long) {
      return fail(ErrorCode::io, "{}: the answer has more than {} bytes", who(), kMaxBody);
    }
    const auto* why = text[0] != '\0' ? text.data() : curl_easy_strerror(code);
    return fail(code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timeout : ErrorCode::unavailable,
                "{}: {}", who(), why);
  }
};

Client::Call::Call(std::unique_ptr<Transfer> transfer) : transfer_(std::move(transfer)) {}
Client::Call::~Call() = default;

Client::Client(Loop& loop, const Clock& clock, Access access)
    : loop_(loop),
      clock_(clock),
      access_(std::move(access)),
      multi_(std::make_unique<Multi>()),
      timer_(loop, [this] { act(CURL_SOCKET_TIMEOUT); }) {
  using OnSocket = int (*)(CURL*, curl_socket_t, int, void*, void*);
  const OnSocket on_socket = [](CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<Client*>(self)->watch(fd, what);
    return 0;
  };
  using OnTimer = int (*)(CURLM*, long, void*);
  const OnTimer on_timer = [](CURLM*, long ms, void* self) {
    auto& client = *static_cast<Client*>(self);
    if (ms < 0) {
      client.timer_.cancel();
    } else {
      client.timer_.set(client.clock_.now() + std::chrono::milliseconds(ms));
    }
    return 0;
  };
  curl_multi_setopt(multi_->handle, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_->handle, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_->handle, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi_->handle, CURLMOPT_TIMERDATA, this);
}

Client::~Client() {
  // Connections that are closed now would be told of to a client that is half gone.
  curl_multi_setopt(multi_->handle, CURLMOPT_SOCKETFUNCTION, nullptr);
  curl_multi_setopt(multi_->handle, CURLMOPT_TIMERFUNCTION, nullptr);
  watches_.clear();
}

Client::Pending Client::send(Request request, Done done) {
  return stream(std::move(request), {}, std::move(done));
}

Client::Pending Client::stream(Request request, Data data, Done done) {
  auto call = Pending(new Call(std::unique_ptr<Call::Transfer>(
      new Call::Transfer{*this, std::move(request), std::move(data), std::move(done)})));
  auto& transfer = *call->transfer_;
  auto* easy = transfer.easy.get();
  const auto set = [easy](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };

  const auto token = access_.bearer();
  if (!token) {
    transfer.unsent = std::make_shared<Call::Transfer*>(&transfer);
    loop_.post([weak = std::weak_ptr(transfer.unsent), why = token.error().message] {
      const auto unsent = weak.lock();
      if (!unsent) return;
      const auto say = std::move((*unsent)->done);
      say(fail(ErrorCode::unavailable, "the token: {}", why));
    });
    return call;
  }
  if (!token->empty()) add(transfer.headers, "Authorization: Bearer " + *token);
  add(transfer.headers, "Accept: application/json");
  add(transfer.headers, "Expect:");
  if (!transfer.request.content_type.empty()) {
    add(transfer.headers, "Content-Type: " + transfer.request.content_type);
  }
  set(CURLOPT_HTTPHEADER, transfer.headers.get());
  set(CURLOPT_URL, (access_.server + transfer.request.path).c_str());
  set(CURLOPT_PROTOCOLS_STR, "https,http");
  set(CURLOPT_CUSTOMREQUEST, transfer.request.method.c_str());
  if (!transfer.request.body.empty()) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.request.body.size()));
    set(CURLOPT_POSTFIELDS, transfer.request.body.c_str());
  }
  set(CURLOPT_USERAGENT, "railhead-agent");
  set(CURLOPT_ACCEPT_ENCODING, "gzip");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(transfer.request.limit.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds / 3);
  set(CURLOPT_ERRORBUFFER, transfer.text.data());
  set(CURLOPT_PRIVATE, &transfer);
  set(CURLOPT_WRITEDATA, &transfer);
  using OnBody = size_t (*)(char*, size_t, size_t, void*);
  const OnBody on_body = [](char* bytes, size_t, size_t size, void* self) {
    return static_cast<Call::Transfer*>(self)->take(bytes, size);
  };
  set(CURLOPT_WRITEFUNCTION, on_body);
  using OnHeader = size_t (*)(char*, size_t, size_t, void*);
  const OnHeader on_header = [](char* bytes, size_t, size_t size, void* self) {
    return static_cast<Call::Transfer*>(self)->take_line({bytes, size});
  };
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, on_header);
  if (!access_.ca_file.empty()) set(CURLOPT_CAINFO, access_.ca_file.c_str());
  if (access_.is_insecure) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const std::array blobs = {std::pair(CURLOPT_CAINFO_BLOB, &access_.ca),
                            std::pair(CURLOPT_SSLCERT_BLOB, &access_.client_certificate),
                            std::pair(CURLOPT_SSLKEY_BLOB, &access_.client_key)};
  for (const auto& [option, text] : blobs) {
    auto blob = blob_of(*text);
    if (!text->empty()) set(option, &blob);
  }
  curl_multi_add_handle(multi_->handle, easy);
  return call;
}

// What curl wants to hear of a socket, in place of what it wanted before.
void Client::watch(int fd, int what) {
  watches_.erase(fd);
  if (what == CURL_POLL_REMOVE) return;
  const uint32_t events =
      (what != CURL_POLL_OUT ? EPOLLIN : 0U) | (what != CURL_POLL_IN ? EPOLLOUT : 0U);
  auto watch = loop_.watch(
      fd, [this, fd] { act(fd); }, events);
  // Without it the transfer ends by its time limit.
  if (watch) watches_.emplace(fd, std::move(*watch));
}

void Client::act(int fd) {
  int running = 0;
  curl_multi_socket_action(multi_->handle, fd, 0, &running);
  read_ends();
}

// Whoever is told may drop its call, start others, and drop others that have ended too.
void Client::read_ends() {
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi_->handle, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto code = message->data.result;
    auto* easy = message->easy_handle;
    char* self = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
    auto& transfer = *reinterpret_cast<Call::Transfer*>(self);
    curl_multi_remove_handle(multi_->handle, easy);
    auto reply = transfer.end(code);
    const auto done = std::move(transfer.done);
    done(std::move(reply));
  }
}

}  // namespace railhead::kube
