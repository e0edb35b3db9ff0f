#include "plugin/app/findings.hpp"

#include <cstdio>

namespace railhead::app {

std::string findings(const config::Parsed& parsed) {
  std::string text;
  for (const auto& warning : parsed.warnings) text += fmt::format("warning: {}\n", warning);
  for (const auto& dropped : parsed.dropped) {
    for (const auto& error : dropped.errors) text += fmt::format("dropped: {}\n", error.message);
  }
  for (const auto& error : parsed.errors) text += fmt::format("error: {}\n", error.message);
  return text;
}

void write(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace railhead::app
