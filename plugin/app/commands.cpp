#include "plugin/app/commands.hpp"

#include "plugin/app/findings.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/app/news.hpp"
#include "plugin/ledger/attachments.hpp"
#include "plugin/pool/explain.hpp"
#include "plugin/print/inventory.hpp"
#include "plugin/print/topology.hpp"

namespace railhead::app {

int explain(const Options& options, const host::Host& host, Logger& log) {
  const auto parsed = read_config(options.config_file, options.resource_prefix).parsed;
  if (!parsed.errors.empty()) {
    write(findings(parsed));
    return kConfigRefused;
  }
  News(log).tell(parsed, options.config_file);
  auto looking = options;
  looking.scan = pool::scan_options(parsed.config, options.scan);
  const auto inventory = look_at_node(looking, host, log);
  if (!inventory) return 1;
  auto knowledge = read_knowledge(parsed.config, host.roots.run, options.state_dir, log);
  const auto attachments =
      ledger::read_attachments(attach::Store(host.roots.run), host.locks, *inventory);
  News(log).tell_unreadable_records(attachments ? attachments->unreadable
                                                : std::vector{attachments.error()});
  for (const auto& attached : attachments.value_or(ledger::Attachments{}).attached) {
    if (attached.trouble.empty()) continue;
    knowledge.sick[attached.device] = {pool::Cause::undo, attached.trouble};
  }
  write(pool::format_explanations(pool::explain(parsed.config, *inventory, knowledge)));
  return parsed.dropped.empty() ? kDone : kResourcesDropped;
}

int inventory(const Options& options, const host::Host& host, Logger& log) {
  const auto inventory = look_at_node(options, host, log);
  if (!inventory) return 1;
  const auto details = print::read_details(*inventory, host.roots.sysfs);
  for (const auto& warning : details.warnings) {
    log.warning("cannot read all of the node's devices", {{"error", warning}});
  }
  write(options.json ? print::inventory_json(*inventory, details)
                     : print::inventory_text(*inventory, details));
  return 0;
}

int topology(const Options& options, const host::Host& host, Logger& log) {
  const auto inventory = look_at_node(options, host, log);
  if (!inventory) return 1;
  print::Source source{options.topology_file, 0};
  for (const auto& function : inventory->functions()) {
    if (options.scan.topology && options.scan.topology->find(function)) ++source.functions;
  }
  if (options.svg_file.empty()) {
    write(options.json ? print::topology_json(*inventory, source)
                       : print::topology_text(*inventory, source));
    return 0;
  }
  const auto svg = print::topology_svg(*inventory, source);
  if (options.svg_file == "-") {
    write(svg);
    return 0;
  }
  const auto written = host::write_file_atomically(options.svg_file, svg, 0644);
  if (!written) log.error("cannot write the drawing", {{"error", written.error().message}});
  return written ? 0 : 1;
}

}  // namespace railhead::app
