// ZeroCopySend: a send whose bytes the network takes from where they lie.
#pragma once

#include <penstock/runtime/parts/write_buffer.h>
#include <penstock/runtime/uring/operation.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

struct io_uring_sqe;

namespace penstock::uring {

class FileHandle;
class ZeroCopySends;

// Completes twice: first with how much was sent, which counts for back-pressure like any send;
// then, when the peer has acknowledged it, with a notification that the kernel has let go of the
// bytes. Until that they are kept here, whatever becomes of the connection. See
// io_uring_prep_sendmsg_zc(3).
class ZeroCopySend {
 public:
  ZeroCopySend(ZeroCopySends& home, BufferPool& pool) noexcept : home_(home), held_(pool) {}

  // Makes an entry prepared for IORING_OP_SEND or IORING_OP_SENDMSG the one of this. Others have no
  // such form, and stay what they are.
  static void convert(io_uring_sqe& entry) noexcept;

  Operation& operation() noexcept { return operation_; }

  // The connection's bytes are to be sent; it lives until it was told how many were.
  void start(FileHandle& owner) noexcept;

  bool awaitsResult() const noexcept { return !answered_; }
  bool awaitsNotification() const noexcept { return answered_ && operation_.inFlight(); }

  // The connection goes; only the notification is missing.
  void ownerGone() noexcept { owner_ = nullptr; }

  ZeroCopySend* next = nullptr;  // Of the same connection, or unused as this is.

 private:
  void completed(int result, std::uint32_t flags);
  void released(bool copied) noexcept;

  ZeroCopySends& home_;
  FileHandle* owner_ = nullptr;
  WriteBuffer held_;
  bool answered_ = false;
  OperationOf<ZeroCopySend, &ZeroCopySend::completed> operation_{*this};
};

// Those of a loop: so many at a time, made when needed and used again.
class ZeroCopySends {
 public:
  static constexpr std::size_t kMost = 64;

  explicit ZeroCopySends(BufferPool& pool) noexcept : pool_(pool) {}
  ~ZeroCopySends();
  ZeroCopySends(const ZeroCopySends&) = delete;
  ZeroCopySends& operator=(const ZeroCopySends&) = delete;

  ZeroCopySend* take();  // Null: all are in use. May throw std::bad_alloc.
  void giveBack(ZeroCopySend& send) noexcept;

  bool anyInFlight() const noexcept { return used_ > 0; }

 private:
  BufferPool& pool_;
  std::vector<std::unique_ptr<ZeroCopySend>> all_;
  ZeroCopySend* unused_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace penstock::uring
