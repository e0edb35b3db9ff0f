#include "test/support/temporary_folder.hpp"

#include <filesystem>
#include <stdexcept>

#include <stdlib.h>
#include <unistd.h>

namespace railhead::test {

// In memory where there is such a place: a fake node is a tree of a thousand files.
TemporaryFolder::TemporaryFolder()
    : TemporaryFolder(access("/dev/shm", W_OK) == 0 && !std::getenv("TMPDIR")
                          ? std::string("/dev/shm")
                          : std::filesystem::temp_directory_path().string()) {}

TemporaryFolder::TemporaryFolder(const std::string& parent) : path_(parent + "/railhead-XXXXXX") {
  if (!mkdtemp(path_.data())) throw std::runtime_error("mkdtemp " + path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace railhead::test
