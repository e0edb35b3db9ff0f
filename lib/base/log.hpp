#pragma once
// Structured logging: one line per event, `key=value` pairs or JSON, to one file descriptor.
#include <cmath>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

namespace railhead {

enum class LogLevel { debug, info, warning, error };
std::optional<LogLevel> parse_log_level(std::string_view text);  // also "warn", "panic" -> error
std::string_view to_string(LogLevel level);

class LogSink;

// One `key=value` of a log line; anything fmt can print is a value.
struct Field {
  template <class T>
  Field(std::string_view key_, const T& value_)
      : key(key_), value(fmt::format("{}", value_)), is_bare(is_json_literal(value_)) {}
  std::string_view key;
  std::string value;
  bool is_bare = false;  // a number or a boolean: in JSON without quotes

 private:
  template <class T>
  static bool is_json_literal(const T& value) {
    if constexpr (std::is_floating_point_v<T>) return std::isfinite(value);
    return std::is_arithmetic_v<T> && !std::is_same_v<T, char>;
  }
};

// Safe to call from several threads, and never waits for the log's reader: lines for which a pipe
// has no room are lost, and the next one that fits is preceded by their number. Copies write to the
// same place.
class Logger {
 public:
  enum class Format { text, json };
  Logger(int fd, LogLevel level, Format format = Format::text);

  void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(LogLevel::info, message, fields);
  }
  void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(LogLevel::warning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(LogLevel::error, message, fields);
  }
  [[nodiscard]] bool enabled(LogLevel level) const { return level >= level_; }

 private:
  void write(LogLevel level, std::string_view message, std::initializer_list<Field> fields);

  std::shared_ptr<LogSink> sink_;
  LogLevel level_;
  Format format_;
};

// "level=info msg="pool served" pool=rdma/vf devices=8", without a time stamp; pure, for tests.
std::string format_log_line(Logger::Format format, LogLevel level, std::string_view message,
                            std::initializer_list<Field> fields);

}  // namespace railhead
