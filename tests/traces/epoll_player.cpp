#include <penstock/tests/traces/pattern.h>
#include <penstock/tests/traces/player.h>

#include <penstock/runtime/epoll/file_descriptor.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/system/clock_calls.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/system/system_calls.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

namespace penstock::traces {
namespace {

constexpr int kEpoll = 1001;
constexpr int kEvent = 1002;
constexpr int kConnection = 1003;
constexpr Duration kTick = std::chrono::milliseconds(1);  // The clock moves when it is read.

// The kernel under epoll::FileDescriptor: it has one descriptor, takes as much as it is told to,
// and has for input what it is given.
class ScriptedKernel final : public ClockCalls,
                             public DescriptorCalls,
                             public PollCalls,
                             public SocketCalls {
 public:
  explicit ScriptedKernel(Application& application) : application_(application) {}

  // For the present step.
  void takeFromNowOn(std::size_t bytes) noexcept { room_ = bytes; }
  void failSends(int error) noexcept { sendError_ = error; }
  void setSocketError(int error) noexcept { socketError_ = error; }
  void addInput(long countOrError) { input_.push_back(countOrError); }
  void report(std::uint32_t events) noexcept { pending_ = events; }
  void endStep() noexcept {
    room_ = 0;
    sendError_ = 0;
    input_.clear();
  }

  bool watchesSpace() const noexcept { return (watched_ & EPOLLOUT) != 0; }
  bool watches() const noexcept { return watched_ != 0; }
  std::size_t room() const noexcept { return room_; }
  std::size_t sent() const noexcept { return sent_; }
  std::size_t kernelRead() const noexcept { return kernelRead_; }
  int closes() const noexcept { return closes_; }

  int epollCreate() noexcept override { return kEpoll; }
  int eventfd() noexcept override { return kEvent; }
  void signalEvent(int) noexcept override {}
  void clearEvent(int) noexcept override {}
  TimePoint now() noexcept override { return now_ += kTick; }

  int epollCtl(int, int operation, int fd, epoll_event* event) noexcept override {
    if (fd != kConnection) return 0;
    watched_ = operation == EPOLL_CTL_DEL ? 0 : event->events;
    if (event) handler_ = event->data;
    return 0;
  }

  int epollWait(int, std::span<epoll_event> events, std::optional<Duration>) noexcept override {
    const std::uint32_t wanted = watched_ | EPOLLERR | EPOLLHUP;
    const std::uint32_t seen = std::exchange(pending_, 0U) & wanted;
    if (seen == 0 || !watches()) return 0;
    events[0].events = seen;
    events[0].data = handler_;
    return 1;
  }

  ssize_t recv(int, MutableBytes into, int) noexcept override {
    if (input_.empty()) return -EAGAIN;
    const long next = input_.front();
    if (next < 0) {
      input_.pop_front();
      return next;
    }
    const std::size_t count = std::min(static_cast<std::size_t>(next), into.size());
    std::ranges::copy(patternAt(kernelRead_, count), into.begin());
    kernelRead_ += count;
    input_.pop_front();
    if (count < static_cast<std::size_t>(next)) input_.push_front(next - static_cast<long>(count));
    return static_cast<ssize_t>(count);
  }

  ssize_t sendmsg(int, std::span<const iovec> from, int) noexcept override {
    if (sendError_ != 0) return -sendError_;
    if (room_ == 0) return -EAGAIN;
    const std::size_t offset = sent_;
    for (const iovec& run : from) take(run);
    application_.note({"send", offset, sent_ - offset});
    return static_cast<ssize_t>(sent_ - offset);
  }

  int shutdown(int, int how) noexcept override {
    application_.note({"shutdown", how == SHUT_WR ? "write" : "other"});
    return 0;
  }

  int connect(int, const sockaddr*, socklen_t) noexcept override { return 0; }

  int setsockopt(int, int level, int name, const void*, socklen_t) noexcept override {
    if (level == SOL_SOCKET && name == SO_LINGER) application_.note({"setLingerZero"});
    return 0;
  }

  int getsockopt(int, int, int, void* value, socklen_t*) noexcept override {
    *static_cast<int*>(value) = std::exchange(socketError_, 0);
    return 0;
  }

  int close(int fd) noexcept override {
    if (fd != kConnection) return 0;
    watched_ = 0;
    ++closes_;
    application_.note({"close"});
    return 0;
  }

 private:
  void take(const iovec& run) {
    const std::size_t count = std::min(room_, run.iov_len);
    const Bytes bytes(static_cast<const std::byte*>(run.iov_base), count);
    if (!isPattern(bytes, sent_)) application_.complain("wrong bytes were sent");
    sent_ += count;
    room_ -= count;
  }

  Application& application_;
  TimePoint now_{};
  std::uint32_t watched_ = 0;
  std::uint32_t pending_ = 0;
  epoll_data_t handler_{};
  std::deque<long> input_;
  std::size_t room_ = 0;
  int sendError_ = 0;
  int socketError_ = 0;
  std::size_t sent_ = 0;
  std::size_t kernelRead_ = 0;
  int closes_ = 0;
};

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
  explicit EpollPlayer(Application& application)
      : application_(application),
        kernel_(application),
        before_(replaceSystemCalls(
            {.descriptor = &kernel_, .socket = &kernel_, .poll = &kernel_, .clock = &kernel_})) {
    ReactorOptions options;
    options.log = [&application](std::string_view line) { application.logged(line); };
    reactor_ = std::make_unique<Phases>(std::move(options));
    stream_ = new Stream(*reactor_, OwnedFd(kConnection), application.makeProtocol());
    application.use(*stream_);
  }

  ~EpollPlayer() override {
    reactor_ = nullptr;
    replaceSystemCalls(before_);
  }

  Connection& connection() noexcept override { return *stream_; }
  void connect() override { stream_->open(); }

  void play(const Step& step, bool withInput) override {
    if (step.event.kind == Event::Kind::kTurn) return reactor_->runCalls();
    const Recorded recorded(step.effects);
    const Played played = withInput ? playInput(step, recorded) : Played::kInput;
    if (played != Played::kBoth && canWrite(step, recorded)) playOutput(recorded);
    flushTheRest();
    kernel_.endStep();
  }

  void finish() override {
    reactor_ = nullptr;
    if (kernel_.closes() != 1) {
      application_.complain("the descriptor was closed " + std::to_string(kernel_.closes()) +
                            " times");
    }
  }

  std::size_t sent() const noexcept override { return kernel_.sent(); }
  std::size_t kernelRead() const noexcept override { return kernel_.kernelRead(); }

 private:
  enum class Played { kInput, kBoth };

  // An event for both directions comes as one where it can; a socket that fails while it is
  // written to says so after its input.
  Played playInput(const Step& step, const Recorded& recorded) {
    const std::uint32_t events = inputEvents(step, recorded);
    if (events == 0) return Played::kInput;
    kernel_.addInput(inputOf(step, recorded));
    const bool both = canWrite(step, recorded) && !recorded.sendFails && kernel_.watchesSpace();
    if (both) kernel_.takeFromNowOn(recorded.taken);
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

  long inputOf(const Step& step, const Recorded& recorded) {
    const Json& offered = recorded.received.is_null() ? step.event.read : recorded.received;
    if (offered.is_number()) return offered.get<long>();
    const bool fails =
        offered == "ECONNRESET" || offered == "error" || step.event.kind == Event::Kind::kReadError;
    if (fails) {
      kernel_.setSocketError(ECONNRESET);
      return -ECONNRESET;
    }
    const bool blocks =
        offered == "EWOULDBLOCK" || offered == "block" || step.event.kind == Event::Kind::kSpurious;
    return blocks ? -EAGAIN : 0;
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
    kernel_.takeFromNowOn(recorded.taken);
    if (kernel_.watchesSpace()) {
      report(EPOLLOUT);
    } else {
      reactor_->flushWriters();
    }
  }

  void playBrokenPipe() {
    kernel_.failSends(EPIPE);
    kernel_.setSocketError(EPIPE);
    kernel_.addInput(-EPIPE);
    report(EPOLLIN | EPOLLOUT | EPOLLERR);
  }

  // Twisted offers 128 KiB at a time however many pieces they are in.
  void flushTheRest() {
    for (std::size_t before = 0; kernel_.room() > 0 && kernel_.room() != before;) {
      before = kernel_.room();
      reactor_->flushWriters();
    }
  }

  void report(std::uint32_t events) {
    kernel_.report(events);
    reactor_->poll(Duration::zero());
  }

  Application& application_;
  ScriptedKernel kernel_;
  SystemCalls before_;
  std::unique_ptr<Phases> reactor_;
  Stream* stream_;
};

}  // namespace

std::unique_ptr<Player> makeEpollPlayer(Application& application) {
  return std::make_unique<EpollPlayer>(application);
}

}  // namespace penstock::traces
