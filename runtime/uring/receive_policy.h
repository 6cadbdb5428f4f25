// ReceivePolicy: how a connection receives next, by what it has been getting.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::uring {

enum class ReadKind : std::uint8_t {
  kMultishot,  // Small: into buffers that the kernel picks, until told to stop.
  kOnce,       // The same, for one completion.
  kReadiness,  // Large, or no buffer ring here: wait until there is something,
  kBlock,      // then read into a block of our own, without waiting.
  kLent,       // Wait for readiness, for whoever has borrowed the descriptor.
};

// Small messages share a ring of small buffers, which costs one operation and no memory of a
// connection's own. Large ones arrive whole in a block, which is taken only when something is
// there.
class ReceivePolicy {
 public:
  ReadKind next(bool hasBufferRing) const noexcept {
    if (large_ || !hasBufferRing) return readable_ ? ReadKind::kBlock : ReadKind::kReadiness;
    return multishot_ ? ReadKind::kMultishot : ReadKind::kOnce;
  }

  void allowMultishot() noexcept { multishot_ = true; }

  // What the kernel tells: something is there, or was not.
  void found(bool readable) noexcept { readable_ = readable; }
  bool readable() const noexcept { return readable_; }

  // A read brought `count` bytes into a buffer of `room`, which was a shared one if no larger than
  // `shared`; `more`: it left something behind.
  void brought(std::size_t count, std::size_t room, std::size_t shared, bool more) noexcept;

  // The last read was more than a shared buffer holds.
  bool isLarge() const noexcept { return large_; }

  // Several in a row have filled a block.
  bool isBulk() const noexcept { return fullReads_ >= kFullReadsForBulk; }

 private:
  static constexpr std::uint8_t kFullReadsForBulk = 2;

  std::uint8_t fullReads_ = 0;  // In a row.
  bool large_ : 1 = false;
  bool continues_ : 1 = false;  // The last read left something behind.
  bool readable_ : 1 = false;   // Something waits in the socket, as far as is known.
  bool multishot_ : 1 = false;
};

}  // namespace penstock::uring
