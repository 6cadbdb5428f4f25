// An io_uring that completes what it is told to, when it is told to.
#pragma once

#include <penstock/tests/traces/application.h>

#include <penstock/runtime/uring/ring_calls.h>

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace penstock::traces {

// The kernel under uring::FileHandle. It keeps one connection's read and write in flight until
// told how they end, even if they are cancelled: a cancellation may lose the race.
class ScriptedRing final : public uring::RingCalls {
 public:
  explicit ScriptedRing(Application& application) : application_(application) {}

  // Takes `count` bytes (or as many as there are) of the write in flight and completes it, if
  // there is one. A write of nothing takes none.
  std::size_t completeWrite(std::size_t count);
  void failWrite(int error);

  // Completes the read in flight with the next `count` bytes of the input, which fit one buffer; 0
  // is its end.
  void completeRead(std::size_t count);
  void failRead(int error);

  // While on, each write fails as soon as it is submitted.
  void refuseWrites(bool on) noexcept { refusesWrites_ = on; }

  bool writeInFlight() const noexcept { return write_.has_value(); }
  bool readInFlight() const noexcept { return read_.has_value(); }

  // Notes a ["submitWrite", offset] if a write was submitted since the last call and is in flight.
  void noteNewWrite();

  // Ends what was cancelled, and from now on at once what is.
  void letGo();
  bool idle() const noexcept { return !read_ && !write_ && !wake_ && !watch_; }

  std::size_t sent() const noexcept { return sent_; }
  std::size_t received() const noexcept { return received_; }

  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override;
  void exit(io_uring&) noexcept override {}
  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override;
  int registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept override;
  std::uint32_t features() noexcept override;

 private:
  struct Group {
    io_uring_buf* entries = nullptr;
    unsigned count = 0;
    std::uint16_t head = 0;
  };
  struct Submitted {
    std::uint64_t userData = 0;
    std::vector<iovec> runs;  // Of a write.
    std::uint16_t group = 0;  // Of a read.
    bool isNew = true;        // Not noted yet.
    bool cancelled = false;
  };

  void take(const io_uring_sqe& entry);
  void takeWrite(const io_uring_sqe& entry, std::vector<iovec> runs);
  void cancel(std::uint64_t userData);
  void endIfCancelled(std::optional<Submitted>& operation);
  void fail(std::optional<Submitted>& operation, int error);
  void checkSent(const Submitted& write, std::size_t count);
  std::uint16_t fill(Group& group, std::size_t count);
  void post(std::uint64_t userData, int result, std::uint32_t flags = 0);

  Application& application_;
  std::vector<io_uring_sqe> entries_;
  std::vector<io_uring_cqe> completions_;
  unsigned submissionHead_ = 0;
  unsigned submissionTail_ = 0;
  unsigned completionHead_ = 0;
  unsigned completionTail_ = 0;
  std::map<std::uint16_t, Group> groups_;
  std::optional<Submitted> read_;
  std::optional<Submitted> write_;
  std::optional<Submitted> wake_;
  std::optional<Submitted> watch_;  // For a hang-up, which never comes.
  bool refusesWrites_ = false;
  bool lettingGo_ = false;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
};

}  // namespace penstock::traces
