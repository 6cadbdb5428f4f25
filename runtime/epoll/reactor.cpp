#include <penstock/runtime/epoll/acceptor.h>
#include <penstock/runtime/epoll/connect.h>
#include <penstock/runtime/epoll/file_descriptor.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/epoll/stream.h>
#include <penstock/runtime/epoll/watch.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>

#include <cerrno>
#include <utility>

namespace penstock::epoll {

// Other threads write to the event descriptor; all it has to do is end the wait.
class Reactor::Waker final : public ReadyHandler {
 public:
  explicit Waker(int event) noexcept : event_(event) {}
  void ready(std::uint32_t) override { pollCalls().clearEvent(event_); }

 private:
  int event_;
};

Reactor::Reactor(ReactorOptions options) : ReactorBase(std::move(options)) {
  const int epoll = pollCalls().epollCreate();
  if (epoll < 0) throwErrno(epoll, "epoll_create1");
  epoll_.reset(epoll);
  const int event = pollCalls().eventfd();
  if (event < 0) throwErrno(event, "eventfd");
  event_.reset(event);
  waker_ = std::make_unique<Waker>(event);
  addHandler(event, EPOLLIN, *waker_);
}

Reactor::~Reactor() { abandonAll(); }

int Reactor::socketFlags() const noexcept { return SOCK_NONBLOCK | SOCK_CLOEXEC; }

Reactor::Memory Reactor::memory() const noexcept {
  return {buffers().queuedBytes(), buffers().allocatedBytes(), receiveBlocks_.allocatedBytes()};
}

Transport& Reactor::makeStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                               const SocketAddress& peer) {
  const bool isUnix = isUnixSocket(fd.get());
  return Stream::open(*this, std::move(fd), std::move(protocol), isUnix, peer);
}

Listener& Reactor::makeListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) {
  return Acceptor::open(*this, std::move(fd), std::move(factory), std::move(atEnd));
}

PendingConnect& Reactor::makeConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                     ConnectHandler handler) {
  return Connect::open(*this, std::move(fd), to, length, std::move(handler));
}

penstock::Watch& Reactor::makeWatch(int fd, Interest interest, WatchHandler handler) {
  return *new Watch(*this, fd, interest, std::move(handler));
}

void Reactor::addHandler(int fd, std::uint32_t events, ReadyHandler& handler) {
  const int result = tryAddHandler(fd, events, handler);
  if (result < 0) throwErrno(result, "epoll_ctl(EPOLL_CTL_ADD)");
}

int Reactor::tryAddHandler(int fd, std::uint32_t events, ReadyHandler& handler) noexcept {
  return control(EPOLL_CTL_ADD, fd, events, handler);
}

// What is registered already can be changed whatever memory there is.
int Reactor::changeHandler(int fd, std::uint32_t events, ReadyHandler& handler) noexcept {
  return control(EPOLL_CTL_MOD, fd, events, handler);
}

int Reactor::control(int operation, int fd, std::uint32_t events, ReadyHandler& handler) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return pollCalls().epollCtl(epoll_.get(), operation, fd, &event);
}

OwnedFd Reactor::removeHandler(OwnedFd fd) noexcept {
  removeHandler(fd.get());
  return fd;
}

void Reactor::removeHandler(int fd) noexcept {
  pollCalls().epollCtl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Reactor::readAgain(FileDescriptor& descriptor) noexcept { readAgain_.pushBack(descriptor); }

void Reactor::flushSoon(FileDescriptor& descriptor) noexcept {
  inEvent_ ? fresh_.pushBack(descriptor) : writers_.pushBack(descriptor);
}

bool Reactor::hasReadyWork() const noexcept { return !readAgain_.empty(); }

template <class Handle>
void Reactor::dispatch(Handle handle) {
  inEvent_ = true;
  handle();
  inEvent_ = false;
  while (!fresh_.empty()) {
    FileDescriptor& descriptor = fresh_.popFront();
    writers_.pushBack(descriptor);
    descriptor.guard([&] { descriptor.doWriteEarly(); });
  }
}

void Reactor::handleEvent(ReadyHandler& handler, std::uint32_t events) noexcept {
  try {
    handler.ready(events);
  } catch (...) {
    logException("the work of an event");
    handler.readyFailed();
  }
}

void Reactor::poll(std::optional<Duration> timeout) {
  IntrusiveList<FileDescriptor, InDeferred> again;
  again.append(readAgain_);  // What asks for another read now waits for the next turn.
  const int count = pollCalls().epollWait(epoll_.get(), events_, timeout);
  if (count > 0) counters().events += static_cast<unsigned>(count);
  for (int i = 0; i < count; ++i) {
    auto& handler = *static_cast<ReadyHandler*>(events_[i].data.ptr);
    dispatch([&] { handleEvent(handler, events_[i].events); });
  }
  while (!again.empty()) {
    FileDescriptor& descriptor = again.popFront();
    dispatch([&] { descriptor.guard([&] { descriptor.doRead(); }); });
  }
}

void Reactor::addStats(Stats& stats) const noexcept {
  stats.deferred += readAgain_.size();
  stats.writing += fresh_.size();
  stats.buffersOut = receiveBlocks_.used();
}

void Reactor::wake() noexcept { pollCalls().signalEvent(event_.get()); }

}  // namespace penstock::epoll
