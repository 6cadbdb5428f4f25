// epoll::FileDescriptor: a byte stream that is read and written when the kernel says it is ready.
#pragma once

#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/export.h>

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>

namespace penstock::epoll {

// Readiness is edge-triggered: the descriptor is registered once, and a pause costs no system
// call. Write interest is added after the first EAGAIN, never before.
// Its mirror is uring::FileHandle. Twisted: abstract.FileDescriptor.
class PENSTOCK_API FileDescriptor : public Connection, public ReadyHandler {
 public:
  void flush() final { doWrite(); }

  // Reads once, if it may.
  void doRead();

  bool inUseByKernel() const noexcept final { return false; }

  // Sends what it can, without deciding what follows from it.
  void doWriteEarly();

  void ready(std::uint32_t events) final;
  void readyFailed() noexcept final {
    connectionLost(std::make_error_code(std::errc::not_enough_memory));
  }

 protected:
  FileDescriptor(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol);

  // Registers the descriptor and tells the protocol. Throws std::system_error. `readsDry`: see
  // below.
  void open(bool readsDry = false);

  void startReading() final;
  void stopReading() final;
  void startWriting() final;
  void stopForLending() final;
  void continueAfterLending() final;

  // Perform it, once: the number of bytes, 0 for the end of input, or -errno.
  virtual ssize_t readSome(MutableBytes into) = 0;
  virtual ssize_t writeSome(std::span<const iovec> from) = 0;

 private:
  // Many small ones are worth it here: they lie on the stack for the time of a system call.
  static constexpr std::size_t kMostRunsPerWrite = 64;
  static constexpr std::uint8_t kFullReadsForBulk = 2;

  void letGo(bool reset) noexcept final;
  void continueDeferred() final;
  void hangUp(std::uint32_t events);
  void readyForUser(std::uint32_t events);
  void readSoon() noexcept;
  void readFailed(long error);
  void noteSize(std::size_t count, std::size_t room) noexcept;
  void doWrite();
  void writeFailed(long error);
  void waitForSpace() noexcept;
  Reactor& loop() const noexcept;

  bool readable_ : 1 = false;      // An edge was seen and the descriptor not yet read dry.
  bool readsDry_ : 1 = false;      // A short read does not tell that nothing is left.
  bool spaceAwaited_ : 1 = false;  // Nothing can be sent before the next EPOLLOUT.
  bool watchesSpace_ : 1 = false;  // EPOLLOUT is registered.
  std::uint8_t fullReads_ = 0;     // In a row.
};

}  // namespace penstock::epoll
