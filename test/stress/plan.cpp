#include "test/stress/plan.hpp"

#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>

namespace railhead::stress {
namespace {

void read_file(const std::string& path, Plan& plan) {
  std::ifstream file(path);
  if (!file) throw std::invalid_argument("cannot read " + path);
  const auto json = Json::parse(file);
  for (const auto& one : json.at("devices")) {
    Device device;
    device.name = one.at("name");
    device.is = one.at("is");
    device.conf = json.value("conf", Json::object());
    device.conf.update(one.at("conf"));
    device.rdma = one.value("rdma", "");
    device.pf = one.value("pf", "");
    device.vf = one.value("vf", 0);
    plan.devices.push_back(std::move(device));
  }
  json.at("netns").get_to(plan.netns);
  plan.leases = json.value("leases", "");
  plan.held_codes = json.value("held_codes", plan.held_codes);
}

}  // namespace

Plan read_plan(const std::vector<std::string>& arguments) {
  Plan plan;
  const auto number = [](const std::string& text) { return std::stoul(text); };
  const std::map<std::string, std::function<void(const std::string&)>> options = {
      {"--program", [&](auto& value) { plan.program = value; }},
      {"--cni-path", [&](auto& value) { plan.cni_path = value; }},
      {"--plan", [&](auto& value) { read_file(value, plan); }},
      {"--state", [&](auto& value) { plan.state = value; }},
      {"--workers", [&](auto& value) { plan.workers = static_cast<unsigned>(number(value)); }},
      {"--rounds", [&](auto& value) { plan.rounds = static_cast<unsigned>(number(value)); }},
      {"--calls", [&](auto& value) { plan.calls = static_cast<unsigned>(number(value)); }},
      {"--seed", [&](auto& value) { plan.seed = number(value); }},
  };
  for (size_t i = 0; i < arguments.size(); i += 2) {
    const auto option = options.find(arguments[i]);
    if (option == options.end() || i + 1 == arguments.size()) {
      throw std::invalid_argument("'" + arguments[i] + "' is no option, or has no value");
    }
    option->second(arguments[i + 1]);
  }
  if (plan.program.empty() || plan.devices.empty() || plan.netns.empty()) {
    throw std::invalid_argument("a program, devices and namespaces are needed");
  }
  return plan;
}

}  // namespace railhead::stress
