#pragma once
// What the agent can be asked.
#include <string>
#include <string_view>
#include <variant>

#include "ipc/cluster.hpp"
#include "ipc/owner.hpp"
#include "ipc/resolve.hpp"

namespace railhead::ipc {

using Question = std::variant<OwnerQuestion, ResolveQuestion, NadQuestion, PodQuestion>;

// By its verb. Errors: decode.
[[nodiscard]] Result<Question> decode_question(std::string_view text);

// The answer to what cannot be answered: {"schema":1,"error":"device: missing"}
[[nodiscard]] std::string encode(const Error& error);

}  // namespace railhead::ipc
