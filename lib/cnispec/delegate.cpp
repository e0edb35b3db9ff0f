#include "cnispec/delegate.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cnispec/cni_error.hpp"

namespace railhead::cnispec {

// With a '/' it would reach out of the folders the runtime allows, at a NUL byte the kernel's name
// ends, and what is hidden there is nobody's to call.
Result<> check_plugin_type(std::string_view type) {
  const auto is_bad = [](char c) { return c == '/' || (c >= 0 && c < ' ') || c == 0x7f; };
  if (!type.empty() && type.front() != '.' && std::ranges::none_of(type, is_bad)) return {};
  return fail(ErrorCode::invalid_argument, "invalid plugin name: {}", type);
}

Result<std::string> find_plugin(std::string_view type, std::string_view cni_path) {
  if (auto good = check_plugin_type(type); !good) return pass(good);
  const auto folders = split(cni_path, ':');
  for (const auto folder : folders) {
    if (folder.empty()) continue;
    std::string program = fmt::format("{}/{}", folder, type);
    struct stat file {};
    if (::stat(program.c_str(), &file) == 0 && S_ISREG(file.st_mode)) return program;
  }
  return fail(ErrorCode::not_found, "failed to find plugin \"{}\" in path [{}]", type,
              fmt::join(folders, " "));
}

Error delegate_error(int exit_code, std::string_view output, std::string_view error_output) {
  const auto status = fmt::format("exit status {}", exit_code);
  if (trim(output).empty()) {
    const auto why = trim(error_output);
    return cni_error(code::kInternal,
                     why.empty() ? fmt::format("netplugin failed with no error message: {}", status)
                                 : fmt::format("netplugin failed: \"{}\": {}", why, status));
  }
  const auto json = go_json::parse(output);
  if (!json || !json->is_object()) {
    return cni_error(code::kInternal,
                     fmt::format("netplugin failed but its diagnostic message is no JSON object: "
                                 "\"{}\": {}",
                                 trim(output), status));
  }
  std::vector<Error> errors;
  go_json::Object object(*json, "", errors);
  const auto code = object.integer("code").value_or(0);
  const auto message = object.string("msg").value_or("");
  return cni_error(code > 0 && code <= UINT32_MAX ? static_cast<uint32_t>(code) : code::kInternal,
                   message.empty() ? status : message, object.string("details").value_or(""));
}

}  // namespace railhead::cnispec
