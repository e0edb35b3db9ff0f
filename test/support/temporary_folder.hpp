#pragma once
#include <string>

namespace railhead::test {

// An empty folder of one's own, removed with all that is in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();  // below $TMPDIR, else in memory
  explicit TemporaryFolder(const std::string& parent);
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace railhead::test
