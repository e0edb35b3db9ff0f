#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "base/log.hpp"
#include "plugin/kube/objects.hpp"
#include "plugin/kube/reflector.hpp"

namespace railhead::kube {

// Objects of one kind by name, kept by a reflector. Only so many bytes of them are kept that
// whoever may make some cannot fill every node's memory: what is too large, or comes when that is
// full, is not.
template <class Object>
class Mirror final : public Reflector::Sink {
 public:
  using Read = Result<Object> (*)(const nlohmann::ordered_json&);
  struct Limits {
    size_t all = SIZE_MAX;
    size_t each = SIZE_MAX;
  };
  // `heard` is called after each change.
  Mirror(Read read, Limits limits, Logger& log, std::function<void()> heard)
      : read_(read), limits_(limits), log_(log), heard_(std::move(heard)) {}

  void begin_list() override { listed_ = {}; }
  void put(const nlohmann::ordered_json& object) override { put_into(listed_, object); }
  void end_list() override {
    kept_ = std::exchange(listed_, {});
    heard_();
  }
  void changed(const nlohmann::ordered_json& object) override {
    put_into(kept_, object);
    heard_();
  }
  void removed(const nlohmann::ordered_json& object) override {
    if (const auto name = read_name(object)) take_out(kept_, *name);
    heard_();
  }

  [[nodiscard]] const Object* find(const Name& name) const {
    const auto found = kept_.objects.find(name);
    return found == kept_.objects.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const std::map<Name, Object>& all() const { return kept_.objects; }

 private:
  struct Kept {
    std::map<Name, Object> objects;
    size_t bytes = 0;
  };
  void take_out(Kept& kept, const Name& name) {
    const auto found = kept.objects.find(name);
    if (found == kept.objects.end()) return;
    kept.bytes -= bytes_of(found->second);
    kept.objects.erase(found);
  }
  // What cannot be read is not what it was before, either.
  void put_into(Kept& kept, const nlohmann::ordered_json& json) {
    if (const auto name = read_name(json)) take_out(kept, *name);
    auto object = read_(json);
    if (!object) {
      log_.warning("an object of the API server is left out", {{"error", object.error().message}});
      return;
    }
    const auto bytes = bytes_of(*object);
    if (bytes > limits_.each || bytes > limits_.all - kept.bytes) return;
    kept.bytes += bytes;
    auto name = object->name;
    kept.objects.emplace(std::move(name), std::move(*object));
  }

  const Read read_;
  const Limits limits_;
  Logger& log_;
  const std::function<void()> heard_;
  Kept kept_;
  Kept listed_;  // of a list that is not whole yet
};

}  // namespace railhead::kube
