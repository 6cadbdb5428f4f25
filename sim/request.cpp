#include <penstock/sim/request.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::sim {
namespace {

bool isMultishot(const io_uring_sqe& entry) noexcept {
  if (entry.opcode == IORING_OP_ACCEPT) return (entry.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
  if (entry.opcode == IORING_OP_RECV) return (entry.ioprio & IORING_RECV_MULTISHOT) != 0;
  if (entry.opcode == IORING_OP_POLL_ADD) return (entry.len & IORING_POLL_ADD_MULTI) != 0;
  return false;
}

}  // namespace

Request::Request(const io_uring_sqe& submitted, std::shared_ptr<File> its)
    : entry_(std::make_unique<io_uring_sqe>(submitted)),
      entry(*entry_),
      file(std::move(its)),
      multishot(isMultishot(submitted)) {
  switch (entry.opcode) {
    case IORING_OP_SENDMSG:
    case IORING_OP_SENDMSG_ZC:
      rememberMessage();
      break;
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
    case IORING_OP_RECV:
    case IORING_OP_READ:
      runs.push_back({reinterpret_cast<void*>(entry.addr), entry.len});
      break;
    case IORING_OP_CONNECT:
      std::memcpy(&address, reinterpret_cast<const void*>(entry.addr),
                  std::min<std::size_t>(entry.off, sizeof address));
      break;
    case IORING_OP_POLL_ADD:
      if (!multishot || !file) break;
      watch = std::make_shared<Watch>(Watch{entry.fd, file, entry.poll32_events, {}, true});
      file->observe(watch);
      break;
    default:
      break;
  }
  if (!isSend()) return;
  copy_.reserve(sizeOf(runs));
  for (const iovec& run : runs) {
    const auto* bytes = static_cast<const std::byte*>(run.iov_base);
    copy_.insert(copy_.end(), bytes, bytes + run.iov_len);
  }
}

void Request::rememberMessage() {
  const auto& message = *reinterpret_cast<const msghdr*>(entry.addr);
  runs.assign(message.msg_iov, message.msg_iov + message.msg_iovlen);
}

std::vector<iovec> Request::rest() const {
  std::vector<iovec> left;
  std::size_t skip = sent;
  for (const iovec& run : runs) {
    const std::size_t skipped = std::min(skip, run.iov_len);
    skip -= skipped;
    if (skipped < run.iov_len) {
      left.push_back({static_cast<char*>(run.iov_base) + skipped, run.iov_len - skipped});
    }
  }
  return left;
}

void Request::requireUnchanged(const World& world, std::size_t count) const {
  const std::byte* expected = copy_.data();
  for (const iovec& run : runs) {
    const std::size_t length = std::min(run.iov_len, count);
    world.requireAlive({static_cast<const std::byte*>(run.iov_base), length}, "a send");
    if (length > 0 && std::memcmp(run.iov_base, expected, length) != 0) {
      return world.violation("bytes changed while they were being sent");
    }
    expected += length;
    count -= length;
  }
}

}  // namespace penstock::sim
