#include "test/support/temporary_folder.hpp"

#include <filesystem>
#include <stdexcept>

#include <stdlib.h>

namespace railhead::test {

TemporaryFolder::TemporaryFolder() : TemporaryFolder(std::filesystem::temp_directory_path()) {}

TemporaryFolder::TemporaryFolder(const std::string& parent) : path_(parent + "/railhead-XXXXXX") {
  if (!mkdtemp(path_.data())) throw std::runtime_error("mkdtemp " + path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace railhead::test
