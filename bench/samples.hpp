#pragma once
// What the benchmarks of ADD and DEL share: samples and their figures, programs that are started,
// and the bare kernel work.
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "bench/figures.hpp"

namespace railhead::bench {

constexpr size_t kDevices = 8;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// "net1", and the address that it gets, of the device of that number.
std::string ifname(size_t device);
std::string address(size_t device);

double milliseconds(const std::function<void()>& work);

// Of one ADD and the DEL after it.
struct Sample {
  double add_ms = 0;
  double del_ms = 0;
  double cpu_ms = 0;  // of both, in user and kernel; 0 where it is not known
};

using Samples = std::vector<Sample>;
using Field = double Sample::*;

Figure time_of(const std::string& name, const Samples& samples, Field field);
// Of each pair.
Figure ratio_of(const std::string& name, const Samples& ours, const Samples& others, Field field,
                std::optional<double> goal);
// The time, with that of the floor beside it, and their ratio.
void add_over_floor(std::vector<Figure>& figures, const std::string& name, const Samples& ours,
                    const Samples& floor, Field field, std::optional<double> goal);

// A program that is started with `input` (a file) as standard input, and waited for; gives its time
// in the processor, ms. Throws where it fails, with what it said.
double start(std::vector<std::string> command, std::vector<std::string> environment,
             const std::string& input);

// So many devices of the place (place.hpp) in this process, one step after the other on sockets
// that are open.
class FloorOfMany {
 public:
  explicit FloorOfMany(size_t devices);
  void add();
  void del();
  Sample run();

 private:
  UniqueFd host_;
  UniqueFd pod_;
  UniqueFd host_socket_;
  UniqueFd pod_socket_;
  std::vector<int> indexes_;
};

}  // namespace railhead::bench
