#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plugin/topology/file.hpp"

namespace railhead::topology {

// Walks a file's tree from a host bridge down and notes where its functions stand, in sysfs' shape:
// below the host bridge and below each switch every child has a port of its own.
class Tree {
 public:
  void enter_bridge(std::string name, std::optional<int> numa_node);
  // Errors: decode, for too many levels.
  [[nodiscard]] Result<void> enter_switch(const std::string& name);
  void leave_switch();
  // A function at this place; one that has a place already keeps that, with a warning.
  [[nodiscard]] Result<void> add(std::string_view bus_id);
  void warn(std::string text) { file_.warnings.push_back(std::move(text)); }
  File take() { return std::move(file_); }

 private:
  [[nodiscard]] std::string port_above(std::string_view name) const;
  File file_;
  device::Place here_;
};

// Each form in its own file. Errors: decode.
[[nodiscard]] Result<File> parse_xml(std::string_view text);
[[nodiscard]] Result<File> parse_yaml(std::string_view text);

}  // namespace railhead::topology
