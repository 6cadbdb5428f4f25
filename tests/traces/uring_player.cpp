#include <penstock/tests/traces/line.h>
#include <penstock/tests/traces/player.h>
#include <penstock/tests/traces/watched_ring.h>

#include <penstock/runtime/uring/file_handle.h>
#include <penstock/runtime/uring/reactor.h>

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace penstock::traces {
namespace {

// Enough for a reactor, and no more: a trace has one read and one write in flight.
constexpr std::uint32_t kFeatures = uring::kDeferTaskrun | uring::kWaitTimeout | uring::kBufferRing;

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
  void prepareRead(io_uring_sqe& entry, const uring::ReadRequest& request) override {
    io_uring_prep_recv(&entry, fd_.get(), request.into.data(), request.into.size(), 0);
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
      : application_(application), line_(application), ring_(application, line_.descriptor()) {
    line_.kernel.setRingFeatures(kFeatures);
    keepInFlight(true);
    ReactorOptions options;
    options.log = [&application](std::string_view line) { application.logged(line); };
    reactor_ = std::make_unique<Phases>(std::move(options));
    stream_ = new Stream(*reactor_, line_.giveEnd(), application.makeProtocol());
    application.use(*stream_);
  }

  ~UringPlayer() override { letGo(); }

  Connection& connection() noexcept override { return *stream_; }
  void connect() override { stream_->open(); }

  void play(const Step& step, bool withInput) override {
    const Recorded recorded(step.effects);
    refusesWrites_ = recorded.refusesWrite;
    refuse(refusesWrites_);
    if (step.event.kind == Event::Kind::kTurn) {
      playTurn(recorded);
    } else if (recorded.completes == "write" || (recorded.completes == "read" && withInput)) {
      playCompletion(recorded);
    }
    refuse(false);
    if (ring_.takeNewWrite()) application_.note({"submitWrite", line_.sent()});
  }

  void finish() override {
    letGo();
    if (line_.closes() != 1) {
      application_.complain("the descriptor was closed " + std::to_string(line_.closes()) +
                            " times");
    }
  }

  std::size_t sent() const noexcept override { return line_.sent(); }
  std::size_t kernelRead() const noexcept override { return line_.offered() + waiting_; }

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
      return failRead();
    }
    const std::size_t count = result.is_number() ? result.get<std::size_t>() : 0;
    if (count > 0) {
      if (!ring_.readInFlight()) application_.complain("there is no read in flight");
      waiting_ += count;
      return deliverWaiting();
    }
    line_.offerEnd();
    pollOnce();
  }

  // Twisted hands a long completion over in pieces, and a script runs for each; what comes after a
  // pause waits for the turn after the resume. Here the kernel has the pieces come one by one.
  void deliverWaiting() {
    constexpr std::size_t kPiece = 4096;
    while (waiting_ > 0 && ring_.readInFlight()) {
      const std::size_t piece = std::min(waiting_, kPiece);
      waiting_ -= piece;
      line_.offer(piece);
      pollOnce();
    }
  }

  // What Twisted sent at once may take several submissions here.
  void completeWrite(const Json& result) {
    if (result == "error") {
      refuse(true);
      reactor_->poll(Duration::zero());
      refuse(refusesWrites_);
      return reactor_->submitPrepared();
    }
    std::size_t left = result.get<std::size_t>();
    std::size_t taken;
    do {
      pollOnce(ring_.writeLength() > 0 ? std::min(left, ring_.writeLength()) : 1);
      taken = line_.drain();
      left -= taken;
    } while (left > 0 && taken > 0 && ring_.writeInFlight());
    if (left > 0) application_.complain("less was submitted than the kernel took");
  }

  // Reads are submitted earlier than in Twisted, so the one that it refuses is in flight.
  void refuseRead() {
    reactor_->submitPrepared();
    failRead();
  }

  void failRead() {
    if (!ring_.readInFlight()) application_.complain("there is no read in flight");
    line_.kernel.failNext(sim::Call::kReceive, ECONNRESET);
    line_.offerForNobody();
    pollOnce();
  }

  // With so many bytes of the write in flight taken.
  void pollOnce(std::size_t taken = 0) {
    refuse(false);  // Not what is in flight already.
    line_.allow(taken);
    reactor_->poll(Duration::zero());
    refuse(refusesWrites_);
    reactor_->submitPrepared();
  }

  // While on, each write fails as soon as it is submitted.
  void refuse(bool on) {
    line_.kernel.failNext(sim::Call::kSend, ECONNRESET, on ? SIZE_MAX : 0);
    line_.allow(on ? 1 : 0);
  }

  // While on, what is cancelled goes on until the recording says how it ends: a cancellation may
  // lose the race.
  void keepInFlight(bool on) {
    line_.kernel.failNext(sim::Call::kCancel, EALREADY, on ? SIZE_MAX : 0);
  }

  // Ends what was cancelled, and then the reactor, which cancels the rest.
  void letGo() {
    if (!reactor_) return;
    keepInFlight(false);
    ring_.cancelAgain();
    reactor_ = nullptr;
  }

  Application& application_;
  Line line_;
  WatchedRing ring_;
  bool refusesWrites_ = false;
  std::unique_ptr<Phases> reactor_;
  Stream* stream_;
  std::size_t waiting_ = 0;  // Received by the kernel, and not asked for yet.
};

}  // namespace

std::unique_ptr<Player> makeUringPlayer(Application& application) {
  return std::make_unique<UringPlayer>(application);
}

}  // namespace penstock::traces
