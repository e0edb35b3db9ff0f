#include "test/unit/cni/node.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "base/text.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

Node::Node() {
  fake.add_pf({.netdev = "p0", .vfs = 2});
  must(host::make_directories(path("bin"), 0700));
  conf = {{"cniVersion", "1.1.0"},
          {"name", "rail0"},
          {"type", "sriov"},
          {"deviceID", "0000:11:00.0"},
          {"logFile", path("log")}};
  environment = {"PATH=/usr/bin:/bin",
                 "CNI_CONTAINERID=c1",
                 "CNI_IFNAME=net1",
                 "CNI_NETNS=" + pod,
                 "CNI_PATH=" + path("bin"),
                 "RAILHEAD_LOG_DIR=" + fake.folder.path(),
                 "CNI_ARGS=IgnoreUnknown=1;"
                 "K8S_POD_NAMESPACE=ns;"
                 "K8S_POD_NAME=trainer-0"};
}

std::string Node::path(const std::string& name) const { return fake.folder.path() + "/" + name; }

void Node::write_ipam(const std::string& on_add, const std::string& on_others) {
  conf["ipam"] = {{"type", "test-ipam"}};
  const std::string script = "#!/bin/sh\necho \"$CNI_COMMAND $CNI_CONTAINERID\" >>" +
                             path("calls") + "\ncat >" + path("input") +
                             "\nif [ \"$CNI_COMMAND\" = ADD ]; then\n" + on_add + "\nelse :\n" +
                             on_others + "\nfi\n";
  must(host::write_file_atomically(path("bin/test-ipam"), script, 0700));
}

std::vector<std::string> Node::ipam_calls() const {
  const auto text = host::read_file(path("calls"));
  std::vector<std::string> calls;
  if (!text) return calls;
  for (auto line : split(trim(*text), '\n')) calls.emplace_back(line);
  return calls;
}

nlohmann::json Node::ipam_input() const {
  return nlohmann::json::parse(must(host::read_file(path("input"))));
}

cni::Answer Node::run(const std::string& verb,
                      const std::vector<std::pair<std::string, std::string>>& env) {
  auto all = cnispec::with(environment, "CNI_COMMAND", verb);
  for (const auto& [key, value] : env) all = cnispec::with(std::move(all), key, value);
  return cni::run(all, conf.dump(), fake.host);
}

std::string Node::log() const { return must(host::read_file(path("log"))); }

std::vector<std::string> Node::records() {
  const auto folder = host::Directory::open(fake.host.roots.run + "/attachments");
  return folder ? must(folder->list(".")) : std::vector<std::string>{};
}

FakeLink& Node::net1() {
  auto& links = fake.kernel.links;
  const auto found = std::find_if(links.begin(), links.end(),
                                  [](const auto& link) { return link->link.name == "net1"; });
  REQUIRE(found != links.end());
  return **found;
}

ReadError error_of(const cni::Answer& answer) {
  CHECK(answer.exit_code == 1);
  const auto json = nlohmann::json::parse(answer.output);
  return {json.at("code").get<uint32_t>(), json.at("msg").get<std::string>(),
          json.value("details", "")};
}

}  // namespace railhead::test
