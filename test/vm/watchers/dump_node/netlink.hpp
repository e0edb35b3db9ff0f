#pragma once
// Questions to the kernel by netlink, and the attributes of its answers.
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <linux/netlink.h>

#include "test/vm/watchers/dump_node/text.hpp"

namespace dump_node {

// Attributes by their number; where one comes several times, in a list.
class Attributes {
 public:
  explicit Attributes(Bytes bytes) {
    while (bytes.size() >= NLA_HDRLEN) {
      nlattr header{};
      std::memcpy(&header, bytes.data(), sizeof header);
      if (header.nla_len < NLA_HDRLEN || header.nla_len > bytes.size()) break;
      all_.emplace_back(header.nla_type & NLA_TYPE_MASK,
                        bytes.subspan(NLA_HDRLEN, header.nla_len - NLA_HDRLEN));
      bytes = bytes.subspan(std::min<size_t>(NLA_ALIGN(header.nla_len), bytes.size()));
    }
  }

  [[nodiscard]] std::optional<Bytes> find(int type) const {
    for (const auto& [number, bytes] : all_) {
      if (number == type) return bytes;
    }
    return std::nullopt;
  }
  template <class T>
  [[nodiscard]] std::optional<T> value(int type) const {
    const auto bytes = find(type);
    if (!bytes || bytes->size() < sizeof(T)) return std::nullopt;
    T value{};
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::string string(int type) const {
    const auto bytes = find(type);
    return bytes ? std::string(bytes->data(), strnlen(bytes->data(), bytes->size())) : "";
  }
  [[nodiscard]] Attributes nested(int type) const {
    return Attributes(find(type).value_or(Bytes{}));
  }
  [[nodiscard]] std::vector<std::pair<int, Bytes>> all() const { return all_; }

 private:
  std::vector<std::pair<int, Bytes>> all_;
};

struct Question {
  int type = 0;
  int attribute = 0;  // a 32-bit one; 0: none
  uint32_t value = 0;
  size_t header = 0;  // bytes of zeros behind the message's header
  bool dump = true;
};

// The payloads of the answer; none where the kernel has no such protocol. Each question has its own
// socket: namespaces change.
using Messages = std::vector<std::vector<char>>;
Messages ask(int protocol, const Question& question);

}  // namespace dump_node
