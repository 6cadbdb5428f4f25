#include <penstock/runtime/epoll/acceptor.h>
#include <penstock/runtime/epoll/connector.h>
#include <penstock/runtime/epoll/file_descriptor.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/epoll/stream.h>
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
  watch(event, EPOLLIN, *waker_);
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
  return Connector::open(*this, std::move(fd), to, length, std::move(handler));
}

void Reactor::watch(int fd, std::uint32_t events, ReadyHandler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  const int result = pollCalls().epollCtl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  if (result < 0) throwErrno(result, "epoll_ctl(EPOLL_CTL_ADD)");
}

// Changing what is registered already cannot fail for want of memory.
void Reactor::changeWatch(int fd, std::uint32_t events, ReadyHandler& handler) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  pollCalls().epollCtl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

OwnedFd Reactor::unwatch(OwnedFd fd) noexcept {
  pollCalls().epollCtl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  return fd;
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
  for (int i = 0; i < count; ++i) {
    auto& handler = *static_cast<ReadyHandler*>(events_[i].data.ptr);
    dispatch([&] { handleEvent(handler, events_[i].events); });
  }
  while (!again.empty()) {
    FileDescriptor& descriptor = again.popFront();
    dispatch([&] { descriptor.guard([&] { descriptor.doRead(); }); });
  }
}

void Reactor::wake() noexcept { pollCalls().signalEvent(event_.get()); }

}  // namespace penstock::epoll
