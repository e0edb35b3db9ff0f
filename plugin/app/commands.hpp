#pragma once
// The subcommands that print something and end. Each gives the program's exit code.
#include "plugin/app/options.hpp"

namespace railhead::app {

// The socket of options.probe_socket, or the one that an agent without such an option has.
[[nodiscard]] std::string probe_socket_of(const Options& options);
// What the running agent says of itself: probe() for kubelet, status() for people.
[[nodiscard]] int probe(const Options& options);
[[nodiscard]] int status(const Options& options);
// Of a configuration that can be used it tells what is in effect, and what it takes of this node or
// of the one at --sysfs-root.
[[nodiscard]] int check_config(const Options& options, const host::Host& host, Logger& log);
// Of health it knows what the node and the records show; of PCI errors the serving agent is told
// alone.
[[nodiscard]] int explain(const Options& options, const host::Host& host, Logger& log);
[[nodiscard]] int inventory(const Options& options, const host::Host& host, Logger& log);
[[nodiscard]] int topology(const Options& options, const host::Host& host, Logger& log);
// Whether addresses over rails overlap on some nodes; and what nv-ipam's pools become here. Neither
// looks at this node.
[[nodiscard]] int ipam_check(const Options& options);
[[nodiscard]] int ipam_import(const Options& options);

}  // namespace railhead::app
