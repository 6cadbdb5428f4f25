// Request: one submission that a simulated ring has taken and not completed.
#pragma once

#include <penstock/sim/file.h>
#include <penstock/sim/world.h>

#include <liburing.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace penstock::sim {

// The entry with what the kernel copies or refers to from submission on: the file is kept even if
// its descriptor is closed, and the array of a message is copied, but not the bytes it points to.
class Request {
  // Apart, because it ends in an array without a size.
  const std::unique_ptr<const io_uring_sqe> entry_;

 public:
  Request(const io_uring_sqe& submitted, std::shared_ptr<File> its);

  bool isSend() const noexcept {
    return entry.opcode == IORING_OP_SEND || entry.opcode == IORING_OP_SENDMSG || isZeroCopy();
  }
  bool isZeroCopy() const noexcept {
    return entry.opcode == IORING_OP_SEND_ZC || entry.opcode == IORING_OP_SENDMSG_ZC;
  }
  bool isReal() const noexcept { return !file; }

  // What is left to send or to fill.
  std::vector<iovec> rest() const;

  // A violation if the first `count` of the bytes to send are gone or not those of the submission.
  void requireUnchanged(const World& world, std::size_t count = SIZE_MAX) const;

  const io_uring_sqe& entry;
  const std::shared_ptr<File> file;  // Null for a real descriptor, and where there is none.
  std::vector<iovec> runs;
  std::shared_ptr<Watch> watch;  // Of a multishot poll, which reports edges.
  sockaddr_storage address{};
  bool multishot;
  bool started = false;    // The connect was begun.
  bool cancelled = false;  // Gets a last chance, and is cancelled if nothing comes of it.
  bool held = false;       // Completes some steps later.
  bool notifying = false;  // Sent, and the bytes are still being looked at.
  bool over = false;       // The last completion was posted.
  std::size_t sent = 0;
  std::uint64_t countdown = 0;  // Completions until a timeout with a count ends.

 private:
  void rememberMessage();

  std::vector<std::byte> copy_;
};

}  // namespace penstock::sim
