#include <penstock/tests/traces/pattern.h>
#include <penstock/tests/traces/player.h>
#include <penstock/tests/traces/scripted_ring.h>

#include <penstock/runtime/system/clock_calls.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/system/system_calls.h>
#include <penstock/runtime/uring/file_handle.h>
#include <penstock/runtime/uring/reactor.h>

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace penstock::traces {
namespace {

constexpr int kEvent = 2002;
constexpr int kConnection = 2003;
constexpr Duration kTick = std::chrono::milliseconds(1);  // The clock moves when it is read.

// The few system calls that the io_uring family makes outside its ring.
class ScriptedKernel final : public ClockCalls,
                             public DescriptorCalls,
                             public PollCalls,
                             public SocketCalls {
 public:
  explicit ScriptedKernel(Application& application) : application_(application) {}

  int closes() const noexcept { return closes_; }

  int eventfd() noexcept override { return kEvent; }
  void signalEvent(int) noexcept override {}
  int setNonBlocking(int, bool) noexcept override { return 0; }
  TimePoint now() noexcept override { return now_ += kTick; }

  int shutdown(int, int how) noexcept override {
    application_.note({"shutdown", how == SHUT_WR ? "write" : "other"});
    return 0;
  }

  int connect(int, const sockaddr*, socklen_t) noexcept override { return 0; }

  int setsockopt(int, int level, int name, const void*, socklen_t) noexcept override {
    if (level == SOL_SOCKET && name == SO_LINGER) application_.note({"setLingerZero"});
    return 0;
  }

  int close(int fd) noexcept override {
    if (fd == kConnection) ++closes_;
    return 0;
  }

 private:
  Application& application_;
  TimePoint now_{};
  int closes_ = 0;
};

// The reactor, whose turn is played phase by phase.
class Phases final : public uring::Reactor {
 public:
  using ReactorBase::flushWriters;
  using ReactorBase::runCalls;
  using uring::Reactor::poll;
  using uring::Reactor::Reactor;
  void submitPrepared() { submit(); }
};

// uring::Stream, except that being connected can come later than being made.
class Stream final : public uring::FileHandle {
 public:
  Stream(Phases& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
      : FileHandle(reactor, std::move(fd), std::move(protocol)), reactor_(reactor) {}
  using uring::FileHandle::open;

 private:
  void prepareRead(io_uring_sqe& entry, MutableBytes into) override {
    io_uring_prep_recv(&entry, fd_.get(), into.data(), into.size(), 0);
  }
  void prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) override {
    io_uring_prep_sendmsg(&entry, fd_.get(), &reactor_.messageOf(from), MSG_NOSIGNAL);
  }

  Phases& reactor_;
};

// What of a step's effects the kernel has to bring about.
struct Recorded {
  explicit Recorded(const Effects& effects) {
    for (const Effect& effect : effects) {
      if (effect[0] == "complete") {
        completes = effect.at(1);
        result = effect.at(2);
      }
      const bool refused = effect.back() == "refused";
      if (effect[0] == "submitRead" && refused) refusesRead = true;
      if (effect[0] == "dataReceived") delivers = true;
      if (effect[0] == "submitWrite") {
        refusesWrite = refused;
        if (!refusesRead) writesFirst = true;
      }
    }
  }

  std::string completes;  // "read", "write", or nothing.
  Json result;
  bool delivers = false;
  bool refusesRead = false;
  bool refusesWrite = false;
  bool writesFirst = false;  // If a read is refused, a write was submitted before.
};

class UringPlayer final : public Player {
 public:
  explicit UringPlayer(Application& application)
      : application_(application),
        kernel_(application),
        ring_(application),
        callsBefore_(replaceSystemCalls(
            {.descriptor = &kernel_, .socket = &kernel_, .poll = &kernel_, .clock = &kernel_})),
        ringBefore_(uring::replaceRingCalls(&ring_)) {
    ReactorOptions options;
    options.log = [&application](std::string_view line) { application.logged(line); };
    reactor_ = std::make_unique<Phases>(std::move(options));
    stream_ = new Stream(*reactor_, OwnedFd(kConnection), application.makeProtocol());
    application.use(*stream_);
  }

  ~UringPlayer() override {
    ring_.letGo();
    reactor_ = nullptr;
    uring::replaceRingCalls(ringBefore_);
    replaceSystemCalls(callsBefore_);
  }

  Connection& connection() noexcept override { return *stream_; }
  void connect() override { stream_->open(); }

  void play(const Step& step, bool withInput) override {
    const Recorded recorded(step.effects);
    ring_.refuseWrites(recorded.refusesWrite);
    if (step.event.kind == Event::Kind::kTurn) {
      playTurn(recorded);
    } else if (recorded.completes == "write" || (recorded.completes == "read" && withInput)) {
      playCompletion(recorded);
    }
    ring_.refuseWrites(false);
    ring_.noteNewWrite();
  }

  void finish() override {
    ring_.letGo();
    reactor_ = nullptr;
    if (kernel_.closes() != 1) {
      application_.complain("the descriptor was closed " + std::to_string(kernel_.closes()) +
                            " times");
    }
    if (!ring_.idle()) application_.complain("the kernel still has operations");
  }

  std::size_t sent() const noexcept override { return ring_.sent(); }
  std::size_t kernelRead() const noexcept override { return ring_.received() + waiting_; }

 private:
  void playTurn(const Recorded& recorded) {
    reactor_->runCalls();
    if (recorded.refusesRead && !recorded.writesFirst) refuseRead();
    reactor_->flushWriters();
    reactor_->submitPrepared();
    if (recorded.refusesWrite) pollOnce();
    if (recorded.delivers) deliverWaiting();
    if (recorded.refusesRead && recorded.writesFirst) refuseRead();
  }

  void playCompletion(const Recorded& recorded) {
    reactor_->submitPrepared();
    if (recorded.completes == "read") {
      completeRead(recorded.result);
    } else {
      completeWrite(recorded.result);
    }
    if (recorded.refusesWrite) pollOnce();
    if (recorded.refusesRead) refuseRead();
  }

  void completeRead(const Json& result) {
    if (result == "error") {
      ring_.failRead(ECONNRESET);
      return pollOnce();
    }
    const std::size_t count = result.is_number() ? result.get<std::size_t>() : 0;
    if (count > 0) {
      if (!ring_.readInFlight()) application_.complain("there is no read in flight");
      waiting_ += count;
      return deliverWaiting();
    }
    ring_.completeRead(0);
    pollOnce();
  }

  // Twisted hands a long completion over in pieces, and a script runs for each; what comes after a
  // pause waits for the turn after the resume. Here the kernel has the pieces come one by one.
  void deliverWaiting() {
    constexpr std::size_t kPiece = 4096;
    while (waiting_ > 0 && ring_.readInFlight()) {
      const std::size_t piece = std::min(waiting_, kPiece);
      waiting_ -= piece;
      ring_.completeRead(piece);
      pollOnce();
    }
  }

  // What Twisted sent at once may take several submissions here.
  void completeWrite(const Json& result) {
    if (result == "error") {
      ring_.failWrite(ECONNRESET);
      return pollOnce();
    }
    std::size_t left = result.get<std::size_t>();
    do {
      left -= ring_.completeWrite(left);
      pollOnce();
    } while (left > 0 && ring_.writeInFlight());
    if (left > 0) application_.complain("less was submitted than the kernel took");
  }

  // Reads are submitted earlier than in Twisted, so the one that it refuses is in flight.
  void refuseRead() {
    reactor_->submitPrepared();
    ring_.failRead(ECONNRESET);
    pollOnce();
  }

  void pollOnce() {
    reactor_->poll(Duration::zero());
    reactor_->submitPrepared();
  }

  Application& application_;
  ScriptedKernel kernel_;
  ScriptedRing ring_;
  SystemCalls callsBefore_;
  uring::RingCalls* ringBefore_;
  std::unique_ptr<Phases> reactor_;
  Stream* stream_;
  std::size_t waiting_ = 0;  // Received by the kernel, and not asked for yet.
};

}  // namespace

std::unique_ptr<Player> makeUringPlayer(Application& application) {
  return std::make_unique<UringPlayer>(application);
}

}  // namespace penstock::traces
