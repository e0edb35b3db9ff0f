#include "base/log.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <mutex>

#include <poll.h>
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

std::string escaped(std::string_view value) {
  std::string text = "\"";
  for (char c : valid_utf8(value)) {
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
        fmt::format("\"level\":\"{}\",\"msg\":{}", to_string(level), escaped(message));
    for (const auto& field : fields) {
      line += fmt::format(",{}:{}", escaped(field.key),
                          field.is_bare ? field.value : escaped(field.value));
    }
    return line;
  }
  std::string line = fmt::format("level={} msg={}", to_string(level), escaped(message));
  for (const auto& field : fields) {
    line += fmt::format(" {}={}", field.key,
                        is_plain(field.value) ? field.value : escaped(field.value));
  }
  return line;
}

// A file descriptor that others may share, so its O_NONBLOCK is not ours to set. A pipe or socket
// that poll(2) calls writable takes PIPE_BUF bytes at once without making the writer wait.
class LogSink {
 public:
  explicit LogSink(int fd) : fd_(fd) {}

  // `lost_line` makes the line that says how many were lost before this one.
  template <class LostLine>
  void write(std::string line, const LostLine& lost_line) {
    const std::scoped_lock lock(mutex_);
    drain();
    if (lost_ != 0 && rest_.empty() && put(lost_line(lost_))) lost_ = 0;
    if (lost_ != 0 || !rest_.empty() || !put(std::move(line))) ++lost_;
  }

 private:
  // Nothing may be left of another line. False: there is no room for even its beginning.
  bool put(std::string line) {
    const size_t size = line.size();
    rest_ = std::move(line);
    drain();
    if (rest_.size() < size) return true;
    rest_.clear();
    return false;
  }

  void drain() {
    while (!rest_.empty()) {
      pollfd fd{fd_, POLLOUT, 0};
      // With POLLERR nobody reads the pipe, and a write would raise SIGPIPE.
      if (poll(&fd, 1, 0) != 1 || fd.revents != POLLOUT) return;
      const ssize_t size = ::write(fd_, rest_.data(), std::min<size_t>(rest_.size(), PIPE_BUF));
      if (size < 0) return;
      rest_.erase(0, static_cast<size_t>(size));
    }
  }

  const int fd_;
  std::mutex mutex_;
  std::string rest_;  // of a line whose beginning is written
  uint64_t lost_ = 0;
};

Logger::Logger(int fd, LogLevel level, Format format)
    : sink_(std::make_shared<LogSink>(fd)), level_(level), format_(format) {}

void Logger::write(LogLevel level, std::string_view message, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  const auto whole = [this](const std::string& line) {
    return format_ == Format::json ? fmt::format("{{\"time\":\"{}\",{}}}\n", time_stamp(), line)
                                   : fmt::format("time={} {}\n", time_stamp(), line);
  };
  sink_->write(whole(format_log_line(format_, level, message, fields)), [&](uint64_t lost) {
    return whole(format_log_line(format_, LogLevel::warning,
                                 fmt::format("{} log lines were lost: nobody read them", lost),
                                 {}));
  });
}

}  // namespace railhead
