#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.hpp"
#include "plugin/app/config_watch.hpp"
#include "plugin/app/debounce.hpp"
#include "plugin/app/news.hpp"
#include "plugin/app/part.hpp"
#include "plugin/config/config.hpp"
#include "plugin/metrics/metrics.hpp"

namespace railhead::app {

// The configuration in force: what is on disk, as long as it is right; else the last one that was,
// over restarts of the agent too.
class Configuration final : public Part {
 public:
  struct Options {
    std::string file;             // or a folder, see config/files.hpp
    std::string resource_prefix;  // of resources that name none
    std::string state_dir;
  };

  // `changed` is called when config() has become another one.
  Configuration(Options options, Loop& loop, const Clock& clock, metrics::Metrics& metrics,
                News& news, Logger& log, std::function<void()> changed);

  [[nodiscard]] std::string_view name() const override { return "configuration"; }
  // Errors: invalid_argument (it is wrong, and there is none from before), or what keeps its folder
  // from being watched.
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] std::vector<std::string> troubles() const override;

  [[nodiscard]] const config::Config& config() const { return config_; }
  [[nodiscard]] bool is_current() const { return refused_.empty(); }
  // Reads it anew, at once.
  void reload();
  // From now on this agent keeps what is right on disk: it serves the node.
  void keep();

 private:
  void read();
  [[nodiscard]] std::string last_file() const;
  [[nodiscard]] Result<config::Config> read_last() const;

  const Options options_;
  Loop& loop_;
  const Clock& clock_;
  metrics::Metrics& metrics_;
  News& news_;
  Logger& log_;
  const std::function<void()> changed_;
  std::optional<ConfigWatch> watch_;
  Loop::Watch touched_;
  Debounce touches_;
  Loop::Timer read_;
  config::Config config_;
  std::vector<config::Source> sources_;  // that config_ was read from
  bool has_config_ = false;
  bool keeps_ = false;
  std::string refused_;  // why what is on disk is not in force; "": it is
};

}  // namespace railhead::app
