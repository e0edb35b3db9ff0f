#include "plugin/config/yaml.hpp"

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace railhead::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxDepth = 32;

bool is_one_of(std::string_view text, std::string_view a, std::string_view b, std::string_view c) {
  return text == a || text == b || text == c;
}

// Builds the JSON value from the parser's events. What is refused is thrown as the parser throws
// its own errors; parse_yaml() catches both.
class JsonBuilder final : public YAML::EventHandler {
 public:
  Json take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(mark, nullptr); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases (*name) are not accepted");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    const bool plain = tag == "?";
    if (plain && !expects_key() && is_one_of(value, "true", "True", "TRUE")) {
      add(mark, true);
    } else if (plain && !expects_key() && is_one_of(value, "false", "False", "FALSE")) {
      add(mark, false);
    } else {
      add(mark, value);
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, Json::array());
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, Json::object());
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Level {
    Json* value;
    std::optional<std::string> key;  // of a map: its value comes next
  };

  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().value->is_object() && !open_.back().key;
  }

  // Puts a value where it belongs; nothing when it was a map's key.
  Json* add(const YAML::Mark& mark, Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Level& level = open_.back();
    if (level.value->is_array()) {
      level.value->push_back(std::move(value));
      return &level.value->back();
    }
    if (!level.key) {
      if (!value.is_string()) throw YAML::ParserException(mark, "a key must be text");
      level.key = value.get<std::string>();
      return nullptr;
    }
    Json& slot = (*level.value)[*level.key];
    slot = std::move(value);
    level.key.reset();
    return &slot;
  }

  void open(const YAML::Mark& mark, Json value) {
    if (open_.size() == kMaxDepth) {
      throw YAML::ParserException(mark, fmt::format("more than {} levels", kMaxDepth));
    }
    // Pointers to values stay good: only the innermost open one grows.
    open_.push_back({add(mark, std::move(value)), std::nullopt});
  }

  Json root_;
  std::vector<Level> open_;
};

}  // namespace

Result<Json> parse_yaml(std::string_view text) {
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    JsonBuilder builder;
    parser.HandleNextDocument(builder);
    Json value = builder.take();
    JsonBuilder second;
    if (parser.HandleNextDocument(second)) {
      return fail(ErrorCode::decode, "more than one YAML document");
    }
    return value;
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::decode, "line {}, column {}: {}", error.mark.line + 1,
                error.mark.column + 1, error.msg);
  }
}

}  // namespace railhead::config
