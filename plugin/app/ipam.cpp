// ipam check and ipam import: before addresses over rails are given out.
#include <algorithm>
#include <iterator>

#include "base/text.hpp"
#include "host/files.hpp"
#include "plugin/app/commands.hpp"
#include "plugin/app/findings.hpp"
#include "plugin/ipam/node_rule.hpp"
#include "plugin/ipam/nv_ipam.hpp"

namespace railhead::app {
namespace {

namespace tools = ipam_tools;

struct Read {
  std::vector<tools::NamedConf> confs;
  std::vector<tools::NvPool> pools;
};

Result<Read> read_files(const std::vector<std::string>& files) {
  Read all;
  for (const auto& file : files) {
    const auto text = host::read_file(file);
    if (!text) return pass(text);
    auto confs = tools::rails_confs(file, *text);
    if (!confs) return pass(confs);
    auto pools = tools::nv_pools(file, *text);
    if (!pools) return pass(pools);
    std::ranges::move(*confs, std::back_inserter(all.confs));
    std::ranges::move(*pools, std::back_inserter(all.pools));
  }
  return all;
}

// What ipam import printed has the rule under `node`.
Result<ipam::NodeRule> read_rule(const std::string& file) {
  const auto text = host::read_file(file);
  if (!text) return pass(text);
  const auto all = tools::documents(*text);
  if (!all) return pass(all, file);
  if (all->size() != 1) return fail(ErrorCode::decode, "{}: expected one document", file);
  const auto& whole = all->front();
  auto rule = tools::node_rule(whole.contains("node") ? whole["node"] : whole);
  if (!rule) return pass(rule, file);
  return rule;
}

Result<std::string> checked(const IpamOptions& options) {
  const auto read = read_files(options.files);
  if (!read) return pass(read);
  if (read->confs.empty()) {
    return fail(ErrorCode::invalid_argument,
                "{}: no ipam of the type rails: expected a NetworkAttachmentDefinition or a "
                "network's configuration with one",
                join(options.files, ", "));
  }
  const auto rule = read_rule(options.nodes_file);
  if (!rule) return pass(rule);
  std::vector<ipam::NodeFacts> facts;
  for (const auto& text : options.nodes) {
    auto one = tools::node_facts(text);
    if (!one) return pass(one, "--node");
    facts.push_back(std::move(*one));
  }
  const auto nodes = tools::checked_nodes(*rule, facts);
  if (!nodes) return pass(nodes, options.nodes_file);
  auto text = tools::check(read->confs, *nodes);
  if (!text) return text;
  for (const auto& warning : tools::pool_warnings(read->confs, read->pools)) {
    *text += fmt::format("warning: {}\n", warning);
  }
  return text;
}

// One on a line.
Result<std::vector<ipam::Address>> read_held(const std::string& file) {
  std::vector<ipam::Address> held;
  if (file.empty()) return held;
  const auto text = host::read_file(file);
  if (!text) return pass(text);
  for (const auto line : split(*text, '\n')) {
    if (trim(line).empty()) continue;
    const auto address = ipam::Address::parse(trim(line));
    if (!address) {
      return fail(ErrorCode::invalid_argument, "{}: expected an address on each line, got \"{}\"",
                  file, trim(line));
    }
    held.push_back(*address);
  }
  return held;
}

Result<std::string> imported(const IpamOptions& options) {
  const auto read = read_files(options.files);
  if (!read) return pass(read);
  const auto held = read_held(options.held_file);
  if (!held) return pass(held);
  auto text = tools::import_pools(read->pools, *held);
  if (!text) return pass(text, join(options.files, ", "));
  return text;
}

int print(const Result<std::string>& text) {
  write(text ? *text : fmt::format("error: {}\n", text.error().text()));
  return text ? kDone : kConfigRefused;
}

}  // namespace

int ipam_check(const Options& options) { return print(checked(options.ipam)); }
int ipam_import(const Options& options) { return print(imported(options.ipam)); }

}  // namespace railhead::app
