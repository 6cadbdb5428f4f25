#include <penstock/tests/traces/line.h>
#include <penstock/tests/traces/player.h>

#include <penstock/runtime/epoll/file_descriptor.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/system/socket_calls.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace penstock::traces {
namespace {

// The reactor, whose turn is played phase by phase.
class Phases final : public epoll::Reactor {
 public:
  using epoll::Reactor::poll;
  using epoll::Reactor::Reactor;
  using ReactorBase::flushWriters;
  using ReactorBase::runCalls;
};

// epoll::Stream, except that being connected can come later than being made.
class Stream final : public epoll::FileDescriptor {
 public:
  Stream(Phases& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
      : FileDescriptor(reactor, std::move(fd), std::move(protocol)) {}
  using epoll::FileDescriptor::open;

 private:
  ssize_t readSome(MutableBytes into) override { return socketCalls().recv(fd_.get(), into, 0); }
  ssize_t writeSome(std::span<const iovec> from) override {
    return socketCalls().sendmsg(fd_.get(), from, MSG_NOSIGNAL);
  }
};

// What of a step's effects the kernel has to bring about.
struct Recorded {
  explicit Recorded(const Effects& effects) {
    for (const Effect& effect : effects) {
      if (effect[0] == "recv") received = effect.at(1);
      if (effect[0] != "send") continue;
      sends = true;
      if (effect.at(3) == "EPIPE") sendFails = true;
      if (effect[3].is_number()) taken += effect[3].get<std::size_t>();
    }
  }

  Json received;
  bool sends = false;
  bool sendFails = false;
  std::size_t taken = 0;
};

class EpollPlayer final : public Player {
 public:
  explicit EpollPlayer(Application& application) : application_(application), line_(application) {
    ReactorOptions options;
    options.log = [&application](std::string_view line) { application.logged(line); };
    reactor_ = std::make_unique<Phases>(std::move(options));
    stream_ = new Stream(*reactor_, line_.giveEnd(), application.makeProtocol());
    application.use(*stream_);
  }

  Connection& connection() noexcept override { return *stream_; }
  void connect() override { stream_->open(); }

  void play(const Step& step, bool withInput) override {
    if (step.event.kind == Event::Kind::kTurn) return reactor_->runCalls();
    const Recorded recorded(step.effects);
    const Played played = withInput ? playInput(step, recorded) : Played::kInput;
    if (played != Played::kBoth && canWrite(step, recorded)) playOutput(recorded);
    flushTheRest();
    endStep();
  }

  void finish() override {
    reactor_ = nullptr;
    if (line_.closes() != 1) {
      application_.complain("the descriptor was closed " + std::to_string(line_.closes()) +
                            " times");
    }
  }

  std::size_t sent() const noexcept override { return line_.sent(); }
  std::size_t kernelRead() const noexcept override { return line_.offered(); }

 private:
  enum class Played { kInput, kBoth };

  // An event for both directions comes as one where it can; a socket that fails while it is
  // written to says so after its input.
  Played playInput(const Step& step, const Recorded& recorded) {
    const std::uint32_t events = inputEvents(step, recorded);
    if (events == 0) return Played::kInput;
    offerInput(step, recorded);
    const bool both = canWrite(step, recorded) && !recorded.sendFails && line_.watchesSpace();
    if (both) allow(recorded.taken);
    report(both ? events | EPOLLOUT : events);
    return both ? Played::kBoth : Played::kInput;
  }

  static std::uint32_t inputEvents(const Step& step, const Recorded& recorded) {
    const Json& read = step.event.read;
    switch (step.event.kind) {
      case Event::Kind::kReadable:
      case Event::Kind::kSpurious:
        return EPOLLIN;
      case Event::Kind::kEof:
        return EPOLLIN | EPOLLRDHUP;
      case Event::Kind::kReadError:
        return EPOLLIN | EPOLLERR;
      case Event::Kind::kHangUp:
        return EPOLLHUP;
      case Event::Kind::kBoth:
        if (recorded.received.is_null()) return 0;  // Nobody wanted to know of the input.
        if (read == "eof") return EPOLLIN | EPOLLRDHUP;
        return read == "error" ? EPOLLIN | EPOLLERR : EPOLLIN;
      case Event::Kind::kTurn:
      case Event::Kind::kWritable:
      case Event::Kind::kWouldBlock:
      case Event::Kind::kWriteError:
      case Event::Kind::kRefuseNext:
        return 0;
    }
    return 0;
  }

  void offerInput(const Step& step, const Recorded& recorded) {
    const Json& offered = recorded.received.is_null() ? step.event.read : recorded.received;
    if (offered.is_number() && offered > 0) return line_.offer(offered.get<std::size_t>());
    const bool fails =
        offered == "ECONNRESET" || offered == "error" || step.event.kind == Event::Kind::kReadError;
    if (fails) return breakDown();
    const bool blocks =
        offered == "EWOULDBLOCK" || offered == "block" || step.event.kind == Event::Kind::kSpurious;
    if (!blocks) line_.offerEnd();
  }

  static bool canWrite(const Step& step, const Recorded& recorded) {
    switch (step.event.kind) {
      case Event::Kind::kWritable:
      case Event::Kind::kWouldBlock:
      case Event::Kind::kWriteError:
        return true;
      case Event::Kind::kBoth:
        return recorded.sends;
      default:
        return false;
    }
  }

  void playOutput(const Recorded& recorded) {
    if (recorded.sendFails) return playBrokenPipe();
    allow(recorded.taken);
    if (line_.watchesSpace()) {
      report(EPOLLOUT);
    } else {
      reactor_->flushWriters();
    }
  }

  void playBrokenPipe() {
    breakDown();
    report(EPOLLIN | EPOLLOUT | EPOLLERR);
  }

  // Twisted offers 128 KiB at a time however many pieces they are in.
  void flushTheRest() {
    for (std::size_t before = SIZE_MAX; room() > 0 && room() != before;) {
      before = room();
      reactor_->flushWriters();
    }
  }

  // What the present step allows to be sent, and what of it is left.
  void allow(std::size_t bytes) {
    line_.allow(bytes);
    allowed_ = line_.sent() + bytes;
  }
  std::size_t room() const { return allowed_ - line_.sent(); }

  void breakDown() {
    line_.breakDown();
    broken_ = true;
  }

  void endStep() {
    allow(0);
    if (!broken_) line_.takeBack();
  }

  void report(std::uint32_t events) {
    line_.report(events);
    reactor_->poll(Duration::zero());
  }

  Application& application_;
  Line line_;
  std::size_t allowed_ = 0;
  bool broken_ = false;
  std::unique_ptr<Phases> reactor_;
  Stream* stream_;
};

}  // namespace

std::unique_ptr<Player> makeEpollPlayer(Application& application) {
  return std::make_unique<EpollPlayer>(application);
}

}  // namespace penstock::traces
