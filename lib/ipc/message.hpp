#pragma once
// How the agent and the CNI program talk: over a unix stream socket, one question and its answer on
// a connection, each a JSON text after its length.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::ipc {

constexpr size_t kLengthBytes = 4;           // big-endian, of the text alone
constexpr size_t kMaxTextBytes = 64 * 1024;  // nobody keeps more than that for a peer
constexpr size_t kMaxMessageBytes = kLengthBytes + kMaxTextBytes;

// The text with its length before it. Errors: invalid_argument (it is empty, or too long).
[[nodiscard]] Result<std::string> to_message(std::string_view text);

// The text, a part of `received`, of what was received so far; nothing: it is not whole yet.
// Errors: decode (its length is none that to_message() gives, or there is something after it).
[[nodiscard]] Result<std::optional<std::string_view>> text_of(std::string_view received);

}  // namespace railhead::ipc
