#pragma once
// CHECK(text == golden("result-1.0.0.json"));  Texts that a test expects, in test/golden.
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "base/error.hpp"

namespace railhead::test {

// The file's text, to its last byte; the test fails when there is none. Tests run in the
// project's root folder.
inline std::string golden(const std::string& name) {
  const std::string path = "test/golden/" + name;
  FILE* file = std::fopen(path.c_str(), "re");
  if (!file) FAIL("cannot open " << path);
  std::string text;
  char buffer[4096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
    text.append(buffer, got);
  }
  std::fclose(file);
  return text;
}

}  // namespace railhead::test
