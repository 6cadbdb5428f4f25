// ReactorOptions: what a reactor can be made with.
#pragma once

#include <penstock/runtime/log.h>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace penstock {

enum class Backend { kAuto, kEpoll, kUring };

// What belongs to io_uring alone, and is without effect on epoll.
struct UringOptions {
  // Receive with multishot requests (IORING_RECV_MULTISHOT) where the kernel has them and the
  // socket is no UNIX one, whose end some kernels then miss. docs/performance.md tells what it was
  // worth.
  bool multishotReceive = false;

  // Sends of so many bytes or more leave it to the network to take the bytes from where they lie
  // (IORING_OP_SEND_ZC), and each connection learns from the kernel's reports from how many on that
  // really saves a copy; on loopback it never does. Worth it for bulk over a network card, and best
  // with write(Buffer). 0: never. A sensible start is 65536.
  std::size_t zeroCopyFrom = 0;

  // Kernel features to do without, as bits of uring::Feature; for tests of the fallbacks.
  std::uint32_t featuresOff = 0;
};

struct ReactorOptions {
  // Which family. For kAuto, PENSTOCK_BACKEND=uring|epoll|auto in the environment decides, if it is
  // set. A family that is named here is what the program needs, and the environment has no say.
  Backend backend = Backend::kAuto;

  // PENSTOCK_BACKEND decides even where `backend` names a family.
  bool environmentDecides = false;

  // Exceptions from callbacks, refused accepts and the like; never one line per message. The
  // default writes lines to stderr.
  Log log = {};

  // How many calls of callFromThread() may wait.
  std::size_t threadCallLimit = 1 << 20;

  // How many threads callInThread() may start, and how much of its work may wait for one.
  std::size_t poolThreads = 10;
  std::size_t poolTaskLimit = 1 << 16;

  // How many bytes may wait in all connections of the loop together, to be sent or delivered. The
  // connection whose write goes beyond it is lost with ConnectionError::kBufferLimit.
  std::size_t bufferLimit = std::numeric_limits<std::size_t>::max();

  UringOptions uring = {};
};

}  // namespace penstock
