#include "plugin/app/news.hpp"

#include <array>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace railhead::test {
namespace {

// What the log says, without its time stamps.
struct Told {
  Told() : Told(make_pipe()) {}
  explicit Told(std::array<int, 2> ends) : reader(ends[0]), writer(ends[1]) {}
  static std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    return ends;
  }
  std::vector<std::string> lines() {
    std::string text(65536, ' ');
    const ssize_t size = read(reader.get(), text.data(), text.size());
    text.resize(size > 0 ? static_cast<size_t>(size) : 0);
    std::vector<std::string> lines;
    for (const auto line : split(text, '\n')) {
      if (!line.empty()) lines.emplace_back(line.substr(line.find(' ') + 1));
    }
    return lines;
  }
  UniqueFd reader, writer;
  Logger log{writer.get(), LogLevel::info};
  app::News news{log};
};

using Lines = std::vector<std::string>;

// VFs of the PFs 0000:3b:00.0 and 0000:5e:00.0, in turns.
pool::Pool pool_of(const std::string& name, unsigned vfs, const std::string& sickness,
                   const std::vector<std::string>& concerns = {}) {
  pool::Pool pool;
  pool.resource.prefix = "rdma";
  pool.resource.name = name;
  for (unsigned i = 0; i < vfs; ++i) {
    pool::Member member;
    member.pf = PciAddress{0, static_cast<uint8_t>(i % 2 == 0 ? 0x3b : 0x5e), 0, 0};
    member.address = *member.pf;
    member.address.device = static_cast<uint8_t>(i / 2 + 1);
    member.id = member.address.to_string();
    member.sickness = sickness;
    member.concerns = concerns;
    pool.members.push_back(std::move(member));
  }
  return pool;
}

const std::string kReason = "its PF has no carrier";

}  // namespace

TEST_CASE("what happens to a PF's devices is one line per PF, over all resources") {
  Told told;
  for (const auto* name : {"a", "b"}) {
    told.news.note_health(pool_of(name, 24, ""), pool_of(name, 24, kReason));
  }
  CHECK(told.lines().empty());
  told.news.tell_devices();
  CHECK(told.lines() == Lines{"level=warning msg=\"devices are unhealthy\" resource=rdma/a,rdma/b "
                              "pf=0000:3b:00.0 devices=12 reason=\"its PF has no carrier\"",
                              "level=warning msg=\"devices are unhealthy\" resource=rdma/a,rdma/b "
                              "pf=0000:5e:00.0 devices=12 reason=\"its PF has no carrier\""});
  told.news.tell_devices();
  CHECK(told.lines().empty());

  told.news.note_health(pool_of("a", 24, kReason), pool_of("a", 24, ""));
  told.news.tell_devices();
  CHECK(told.lines() == Lines{"level=info msg=\"devices are healthy again\" resource=rdma/a "
                              "pf=0000:3b:00.0 devices=12",
                              "level=info msg=\"devices are healthy again\" resource=rdma/a "
                              "pf=0000:5e:00.0 devices=12"});
}

TEST_CASE("a device alone is called by its id") {
  Told told;
  told.news.note_health({}, pool_of("a", 1, kReason));
  told.news.tell_devices();
  CHECK(told.lines() == Lines{"level=warning msg=\"device is unhealthy\" resource=rdma/a "
                              "device=0000:3b:01.0 devices=1 reason=\"its PF has no carrier\""});
}

TEST_CASE("devices of one PF with different reasons are told apart") {
  Told told;
  auto now = pool_of("a", 6, kReason);
  now.members.at(0).sickness = "its undo is not verified";
  told.news.note_health(pool_of("a", 6, ""), now);
  told.news.tell_devices();
  CHECK(told.lines().size() == 3);
}

TEST_CASE("what stays as it was is not told again, a new concern is") {
  Told told;
  told.news.note_health(pool_of("a", 2, kReason), pool_of("a", 2, kReason));
  told.news.note_health(pool_of("b", 4, "", {"x"}), pool_of("b", 4, "", {"x", "y"}));
  told.news.tell_devices();
  CHECK(told.lines() ==
        Lines{"level=warning msg=\"devices are degraded, and offered all the same\" "
              "resource=rdma/b pf=0000:3b:00.0 devices=2 reason=y",
              "level=warning msg=\"devices are degraded, and offered all the same\" "
              "resource=rdma/b pf=0000:5e:00.0 devices=2 reason=y"});
}

TEST_CASE("a pool that is unhealthy as a whole is told by its name") {
  Told told;
  auto sick = pool_of("a", 0, "");
  sick.sickness = "exclusive mode";
  told.news.note_health(pool_of("a", 0, ""), sick);
  told.news.note_health(sick, sick);
  told.news.note_health(sick, pool_of("a", 0, ""));
  CHECK(told.lines() ==
        Lines{"level=warning msg=\"pool is unhealthy\" resource=rdma/a reason=\"exclusive mode\"",
              "level=info msg=\"pool is healthy again\" resource=rdma/a"});
}

TEST_CASE("a list that is longer than kubelet takes is one error, with what is to be done") {
  Told told;
  auto pool = pool_of("a", 60, "");
  pool.resource.sharing = config::Sharing{config::Sharing::Unit::device, 1000};
  told.news.note_health({}, pool);
  CHECK(told.lines().empty());
  const auto small = pool;
  for (unsigned i = 0; i < 5; ++i) {
    pool.members.insert(pool.members.end(), small.members.begin(), small.members.end());
  }
  told.news.note_health(small, pool);
  told.news.note_health(pool, pool);
  CHECK(told.lines() == Lines{"level=error msg=\"kubelet takes no list of so many devices: some "
                              "are not offered; lower perDevice\" resource=rdma/a devices=360000 "
                              "not_offered=228928 per_device_at_most=367"});
}

}  // namespace railhead::test
