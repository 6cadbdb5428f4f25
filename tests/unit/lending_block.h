// LendingBlock: memory that a write buffer may borrow, and that counts who refers to it.
#pragma once

#include <penstock/runtime/bytes.h>
#include <penstock/runtime/parts/buffer_pool.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace penstock::testing {

// A block as a family has it for receiving: handed out with one reference, and home again once
// that and all others are released.
class LendingBlock final : public BlockHome {
 public:
  explicit LendingBlock(std::vector<std::byte> contents) : contents_(std::move(contents)) {
    block_.home = this;
    block_.data = contents_.data();
    block_.capacity = static_cast<std::uint32_t>(contents_.size());
    block_.references = 1;
  }

  void blockReleased(Block&) noexcept override { ++timesHome_; }
  bool mayKeep() const noexcept override { return mayKeep_; }
  void refuseKeeping() noexcept { mayKeep_ = false; }

  Block& block() noexcept { return block_; }
  Bytes bytes() const noexcept { return contents_; }
  bool home() const noexcept { return timesHome_ == 1; }
  int timesHome() const noexcept { return timesHome_; }

 private:
  std::vector<std::byte> contents_;
  Block block_;
  bool mayKeep_ = true;
  int timesHome_ = 0;
};

}  // namespace penstock::testing
