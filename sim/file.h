// File: what a simulated descriptor refers to.
#pragma once

#include <sys/epoll.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace penstock::sim {

class File;

// The interest of one epoll instance in one file.
struct Watch {
  int fd;
  std::weak_ptr<File> file;
  std::uint32_t interest;
  epoll_data_t data;
  bool pending;  // Something has happened that the instance may have to report.
};

// Descriptors and requests in flight share a file; it is let go when the last of them is gone, and
// closing a descriptor alone does not end a request.
class File {
 public:
  File() = default;
  virtual ~File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // What epoll and poll would say now.
  virtual std::uint32_t readiness() const { return 0; }

  void observe(const std::shared_ptr<Watch>& watch) { watches_.push_back(watch); }

  // Has epoll report this once, in place of what is so.
  void reportInstead(std::uint32_t events) {
    false_ = events;
    notify(0);
  }
  std::optional<std::uint32_t> takeFalseReport() { return std::exchange(false_, std::nullopt); }

  bool nonBlocking = false;

 protected:
  // Tells the watches interested in any of `events` to look again, or all of them for 0.
  void notify(std::uint32_t events);

 private:
  std::vector<std::weak_ptr<Watch>> watches_;
  std::optional<std::uint32_t> false_;
};

// How many bytes all runs have together.
std::size_t sizeOf(std::span<const iovec> runs) noexcept;

// The first `count` bytes of `runs`.
std::vector<iovec> firstOf(std::vector<iovec> runs, std::size_t count);

}  // namespace penstock::sim
