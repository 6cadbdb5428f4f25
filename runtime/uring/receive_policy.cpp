#include <penstock/runtime/uring/receive_policy.h>

namespace penstock::uring {

// What a message of several reads ends in says nothing of the next one.
void ReceivePolicy::brought(std::size_t count, std::size_t room, std::size_t shared,
                            bool more) noexcept {
  const bool ownBlock = room > shared;
  readable_ = more;
  if (!ownBlock) {
    large_ = count == room && more;
  } else if (!continues_) {
    large_ = count > shared;
  }
  continues_ = more;
  if (count < room / 2) {
    fullReads_ = 0;
  } else if (ownBlock && count == room && !isBulk()) {
    ++fullReads_;
  }
}

}  // namespace penstock::uring
