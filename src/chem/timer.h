#pragma once

#include <chrono>
#include <cstdint>

namespace molsieve {

// Adds the time until it goes out of scope. Two clock readings, under 0.1 µs.
class Timer {
 public:
  explicit Timer(std::uint64_t &nanoseconds)
      : nanoseconds_(nanoseconds), began_(std::chrono::steady_clock::now()) {}
  ~Timer() {
    nanoseconds_ += std::chrono::duration_cast<std::chrono::nanoseconds>(
                        std::chrono::steady_clock::now() - began_)
                        .count();
  }
  Timer(const Timer &) = delete;
  Timer &operator=(const Timer &) = delete;

 private:
  std::uint64_t &nanoseconds_;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace molsieve
