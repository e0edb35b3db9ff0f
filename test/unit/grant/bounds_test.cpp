#include "plugin/grant/bounds.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

using LeftOut = std::vector<grant::LeftOutVariable>;

// A value that makes NAME=value and its NUL so large.
std::string value(const std::string& name, size_t bytes) {
  return std::string(bytes - name.size() - 2, 'x');
}

}  // namespace

TEST_CASE("a variable of just the kernel's limit stays, one byte more is left out") {
  const auto bounded = grant::within_bounds(
      {{"A", value("A", 131'072)}, {"B", value("B", 131'073)}, {"C", "short"}});
  CHECK(bounded.envs.size() == 2);
  CHECK(bounded.envs.contains("A"));
  CHECK(bounded.envs.at("C") == "short");
  CHECK(bounded.left_out == LeftOut{{"B", 131'073}});
}

TEST_CASE("of variables that are too large together the largest are left out, the fewest") {
  std::map<std::string, std::string> envs{{"SMALL", "kept"}};
  for (size_t i = 0; i < 5; ++i) {
    const std::string name(1, static_cast<char>('A' + i));
    envs[name] = value(name, 120'000 + i);
  }
  const auto bounded = grant::within_bounds(envs);
  CHECK(bounded.left_out == LeftOut{{"E", 120'004}});
  CHECK(bounded.envs.size() == 5);
  CHECK(bounded.envs.at("SMALL") == "kept");
}

TEST_CASE("an environment within its bounds is left as it is") {
  const std::map<std::string, std::string> envs{{"A", "1"}, {"B", ""}};
  const auto bounded = grant::within_bounds(envs);
  CHECK(bounded.envs == envs);
  CHECK(bounded.left_out.empty());
}

}  // namespace railhead::test
