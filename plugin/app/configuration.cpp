#include "plugin/app/configuration.hpp"

#include <nlohmann/json.hpp>

#include "host/files.hpp"
#include "plugin/app/inputs.hpp"

namespace railhead::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;

std::string to_text(const std::vector<config::Source>& sources) {
  Json files = Json::array();
  for (const auto& source : sources)
    files.push_back({{"file", source.file}, {"text", source.text}});
  return Json{{"schema", kSchema}, {"sources", std::move(files)}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

Result<std::vector<config::Source>> from_text(std::string_view text) {
  try {
    const auto json = Json::parse(text);
    std::vector<config::Source> sources;
    for (const auto& source : json.at("sources")) {
      sources.push_back(
          {source.at("file").get<std::string>(), source.at("text").get<std::string>()});
    }
    return sources;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "{}", error.what());
  }
}

}  // namespace

Configuration::Configuration(Options options, Loop& loop, const Clock& clock,
                             metrics::Metrics& metrics, News& news, Logger& log,
                             std::function<void()> changed)
    : options_(std::move(options)),
      loop_(loop),
      clock_(clock),
      metrics_(metrics),
      news_(news),
      log_(log),
      changed_(std::move(changed)),
      read_(loop, [this] { reload(); }) {}

std::string Configuration::last_file() const { return options_.state_dir + "/config.last"; }

Result<void> Configuration::start() {
  auto watch = ConfigWatch::open(options_.file);  // before it is read, so that no change
  if (!watch) return pass(watch);                 // falls between
  watch_ = std::move(*watch);
  auto touched = loop_.watch(watch_->fd(), [this] {
    if (!watch_->touched()) return;
    touches_.event(clock_.now());
    read_.set(*touches_.due());
  });
  if (!touched) return pass(touched);
  touched_ = std::move(*touched);
  read();
  if (has_config_) return {};
  auto last = read_last();
  if (!last) {
    return fail(ErrorCode::invalid_argument, "the configuration {} is wrong", options_.file);
  }
  log_.error("the configuration is wrong; the last one that was right is in force",
             {{"file", options_.file}, {"from", last_file()}});
  config_ = std::move(*last);
  has_config_ = true;
  return {};
}

Result<config::Config> Configuration::read_last() const {
  const auto text = host::read_own_file(last_file());
  if (!text) return pass(text);
  const auto sources = from_text(*text);
  if (!sources) return pass(sources, last_file());
  auto parsed = config::parse(*sources, options_.resource_prefix);
  if (!parsed.errors.empty()) return Failure(parsed.errors.front().in(last_file()));
  return std::move(parsed.config);
}

std::vector<std::string> Configuration::troubles() const {
  if (refused_.empty()) return {};
  return {fmt::format("the configuration in {} was refused: {}", options_.file, refused_)};
}

void Configuration::reload() {
  read_.cancel();
  touches_.looking(clock_.now());
  const auto before = config_;
  const bool was_current = is_current();
  read();
  if (is_current() && !was_current) {
    log_.info("the configuration is right again", {{"file", options_.file}});
  }
  if (config_ == before) return;
  log_.info("configuration reloaded",
            {{"file", options_.file}, {"resources", config_.resources.size()}});
  changed_();
}

void Configuration::read() {
  auto [parsed, sources] = read_config(options_.file, options_.resource_prefix);
  news_.tell(parsed, options_.file);
  refused_ = parsed.errors.empty() ? "" : parsed.errors.front().message;
  metrics_.config_read(refused_.empty());
  if (!refused_.empty()) {
    if (has_config_) {
      log_.error("the new configuration is wrong; the old one stays in force",
                 {{"file", options_.file}});
    }
    return;
  }
  config_ = std::move(parsed.config);
  sources_ = std::move(sources);
  has_config_ = true;
  if (keeps_) keep();
}

// What it cannot keep is of use to the next start only.
void Configuration::keep() {
  keeps_ = true;
  if (sources_.empty() || !is_current()) return;
  auto made = host::make_directories(options_.state_dir, 0700);
  if (made) made = host::write_file_atomically(last_file(), to_text(sources_), 0600);
  if (!made) {
    log_.warning("the configuration is not kept for a start with a wrong one",
                 {{"error", made.error().message}});
  }
}

}  // namespace railhead::app
