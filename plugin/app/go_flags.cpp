#include "plugin/app/go_flags.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace railhead::app {
namespace {

// A value may stand behind "=" or be the next argument; of what is on or off only behind "=".
constexpr std::array<std::string_view, 10> kWithValue = {
    "vmodule",     "stderrthreshold", "log_dir",           "log_backtrace_at",    "log_link",
    "logbuflevel", "log_file",        "log_file_max_size", "log_flush_frequency", "logging_format"};
constexpr std::array<std::string_view, 6> kOnOrOff = {"logtostderr",    "alsologtostderr",
                                                      "add_dir_header", "one_output",
                                                      "skip_headers",   "skip_log_headers"};

bool has(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// "-name=value" and "--name=value" in parts.
struct Flag {
  std::string dashes;
  std::string name;
  std::optional<std::string> value;
};

std::optional<Flag> parse_flag(std::string_view argument) {
  const auto dashes = std::min<size_t>(argument.find_first_not_of('-'), 3);
  if (dashes == 0 || dashes > 2 || argument.size() == dashes) return std::nullopt;
  const auto text = argument.substr(dashes);
  const auto equals = text.find('=');
  Flag flag{std::string(dashes, '-'), std::string(text.substr(0, equals)), std::nullopt};
  if (equals != std::string_view::npos) flag.value = text.substr(equals + 1);
  return flag;
}

class Taking {
 public:
  explicit Taking(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  Result<GoFlags> all(const std::function<bool(const std::string&)>& is_own) {
    for (at_ = 0; at_ < arguments_.size(); ++at_) {
      const auto& argument = arguments_[at_];
      const auto flag = parse_flag(argument);
      if (flag && flag->name == "v") {
        if (auto taken = verbosity(*flag); !taken) return pass(taken);
      } else if (flag && (has(kWithValue, flag->name) || has(kOnOrOff, flag->name))) {
        if (auto taken = ignored(*flag); !taken) return pass(taken);
      } else if (flag && flag->dashes == "-" && is_own("--" + flag->name)) {
        flags_.rest.push_back('-' + argument);
      } else {
        flags_.rest.push_back(argument);
      }
    }
    return std::move(flags_);
  }

 private:
  // The value behind "=", or the next argument.
  std::optional<std::string> value_of(const Flag& flag) {
    if (flag.value || at_ + 1 == arguments_.size()) return flag.value;
    return arguments_[++at_];
  }

  // Without a number it is k8s-rdma-shared-dev-plugin's, which prints its version.
  Result<void> verbosity(const Flag& flag) {
    const auto next = at_ + 1 < arguments_.size() ? arguments_[at_ + 1] : "";
    if (!flag.value && !parse_int<unsigned>(next)) {
      flags_.rest.emplace_back("--version");
      return {};
    }
    const auto text = value_of(flag).value_or("");
    flags_.verbosity = parse_int<unsigned>(text);
    if (!flags_.verbosity) {
      return fail(ErrorCode::invalid_argument, "{}v: expected a number, got {}", flag.dashes, text);
    }
    flags_.warnings.push_back(
        fmt::format("{}v {} is a flag of glog: taken as --log-level={}", flag.dashes, text, text));
    return {};
  }

  Result<void> ignored(const Flag& flag) {
    if (has(kWithValue, flag.name) && !value_of(flag)) {
      return fail(ErrorCode::invalid_argument, "{}{}: expected a value", flag.dashes, flag.name);
    }
    flags_.warnings.push_back(
        fmt::format("{}{} is a flag of glog: taken and not used; logs go to the standard error, "
                    "--log-level says what of them",
                    flag.dashes, flag.name));
    return {};
  }

  const std::vector<std::string>& arguments_;
  size_t at_ = 0;
  GoFlags flags_;
};

}  // namespace

Result<GoFlags> take_go_flags(const std::vector<std::string>& arguments,
                              const std::function<bool(const std::string&)>& is_own) {
  return Taking(arguments).all(is_own);
}

}  // namespace railhead::app
