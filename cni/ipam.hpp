#pragma once
// The IPAM plugin that a configuration names: run as a delegate, or, for the types of
// cni/own_ipam.hpp, in this very program.
#include <optional>
#include <string>

#include "base/deadline.hpp"
#include "cni/rails_ipam.hpp"
#include "cnispec/plugin_result.hpp"
#include "cnispec/request.hpp"
#include "host/host.hpp"

namespace railhead::cni {

// The IPAM type whose addresses are those that the NIC has on the host.
inline constexpr std::string_view kHostIpam = "host";

// The environment variable that says to this program's children whose they are: how many times it
// was called by itself.
inline constexpr std::string_view kDepth = "RAILHEAD_DEPTH";

// The same of the meta plugin's: plugins that call others by these types are welcome to.
inline constexpr std::string_view kOfMeta = "RAILHEAD_META";

// Whether this very call is such a child's.
[[nodiscard]] bool is_nested(const cnispec::Environment& environment);

// Without a type there is no IPAM: every call succeeds and gives nothing. A type that is this
// program is refused with code 7: without that they would start each other without end.
class Ipam {
 public:
  // `config` is the whole configuration as it came; the delegate gets it and our environment, and
  // what stands in a delegate's place reads it.
  Ipam(std::string type, const cnispec::Environment& environment, const std::string& config,
       const host::Host& host)
      : type_(std::move(type)), environment_(&environment), config_(&config), host_(&host) {}

  // The addresses, or nothing without IPAM. A result without any address is an error.
  [[nodiscard]] Result<std::optional<cnispec::PluginResult>> add(const Deadline& deadline);
  // Whether the interfaces of a pod get their addresses together, by add_rails().
  [[nodiscard]] bool is_of_rails() const { return type_ == kRailsIpam; }
  // Whether an interface gets what it had on the host, by host_use().
  [[nodiscard]] bool is_of_host() const { return type_ == kHostIpam; }
  [[nodiscard]] bool is_none() const { return type_.empty(); }
  [[nodiscard]] RailsCall rails_call() const { return {environment_, config_}; }
  // DEL for another attachment of this network than the one that was asked for.
  [[nodiscard]] Result<> release(const std::string& container_id, const std::string& ifname,
                                 const Deadline& deadline);
  [[nodiscard]] bool is_of_child() const { return is_nested(*environment_); }
  // DEL, CHECK, GC or STATUS. Errors keep the delegate's code. A plugin that does not know GC and
  // STATUS, as those before CNI 1.1 do not, has nothing to do, and nothing to say against an ADD.
  [[nodiscard]] Result<> call(cnispec::Command command, const Deadline& deadline);

 private:
  [[nodiscard]] Result<std::string> run(cnispec::Command command, cnispec::Environment environment,
                                        const Deadline& deadline);
  // DEL, CHECK, GC or STATUS of a type that is run here.
  [[nodiscard]] Result<> call_own(cnispec::Command command, const cnispec::Environment& environment,
                                  const Deadline& deadline);
  [[nodiscard]] std::string who(cnispec::Command command) const;

  std::string type_;
  const cnispec::Environment* environment_;
  const std::string* config_;
  const host::Host* host_;
};

}  // namespace railhead::cni
