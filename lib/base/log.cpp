#include "base/log.hpp"

#include <algorithm>
#include <chrono>

#include <unistd.h>

#include "base/text.hpp"

namespace railhead {
namespace {

// A value needs quotes when a reader could not tell where it ends.
bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
  });
}

std::string json_string(std::string_view value) {
  std::string text = "\"";
  for (char c : value) {
    if (c == '"' || c == '\\') {
      (text += '\\') += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      text += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      text += c;
    }
  }
  return text += '"';
}

// Not by gmtime(3), which reads the time zone's file first.
std::string time_stamp() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(now - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view text) {
  const std::string level = to_lower(text);
  if (level == "debug" || level == "verbose") return LogLevel::debug;
  if (level == "info") return LogLevel::info;
  if (level == "warning" || level == "warn") return LogLevel::warning;
  if (level == "error" || level == "panic") return LogLevel::error;
  return std::nullopt;
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "unknown";
}

std::string format_log_line(Logger::Format format, LogLevel level, std::string_view message,
                            std::initializer_list<Field> fields) {
  if (format == Logger::Format::json) {
    std::string line =
        fmt::format("\"level\":\"{}\",\"msg\":{}", to_string(level), json_string(message));
    for (const auto& field : fields) {
      line += fmt::format(",{}:{}", json_string(field.key), json_string(field.value));
    }
    return line;
  }
  std::string line = fmt::format("level={} msg={}", to_string(level), json_string(message));
  for (const auto& field : fields) {
    line += fmt::format(" {}={}", field.key,
                        is_plain(field.value) ? field.value : json_string(field.value));
  }
  return line;
}

void Logger::write(LogLevel level, std::string_view message, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  const std::string line = format_log_line(format_, level, message, fields);
  const std::string whole = format_ == Format::json
                                ? fmt::format("{{\"time\":\"{}\",{}}}\n", time_stamp(), line)
                                : fmt::format("time={} {}\n", time_stamp(), line);
  // A log that cannot be written must not stop the work.
  [[maybe_unused]] auto written = ::write(fd_, whole.data(), whole.size());
}

}  // namespace railhead
