// A stream of one's own outside the tree: what FileDescriptor and FileHandle are installed for.
#include <penstock/runtime/epoll/file_descriptor.h>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#if __has_include(<penstock/runtime/uring/file_handle.h>)
#include <liburing.h>
#include <penstock/runtime/uring/file_handle.h>
#define WITH_URING 1
#endif

namespace {

class Upper final : public penstock::Protocol {
 public:
  void connectionMade(penstock::Transport& transport) override { transport_ = &transport; }
  void dataReceived(penstock::Bytes bytes) override {
    std::string text(penstock::asText(bytes));
    for (char& letter : text) letter = static_cast<char>(letter - 'a' + 'A');
    transport_->write(penstock::asBytes(text));
    transport_->loseConnection();
  }
  void connectionLost(std::error_code) override { transport_->reactor().stop(); }

 private:
  penstock::Transport* transport_ = nullptr;
};

ssize_t orErrno(ssize_t result) { return result < 0 ? -errno : result; }

class ReadinessStream final : public penstock::epoll::FileDescriptor {
 public:
  ReadinessStream(penstock::epoll::Reactor& reactor, penstock::OwnedFd fd)
      : FileDescriptor(reactor, std::move(fd), std::make_unique<Upper>()) {
    open();
  }

 private:
  ssize_t readSome(penstock::MutableBytes into) override {
    return orErrno(read(descriptor(), into.data(), into.size()));
  }
  ssize_t writeSome(std::span<const iovec> from) override {
    return orErrno(writev(descriptor(), from.data(), static_cast<int>(from.size())));
  }
};

#ifdef WITH_URING
// Read and written as a file is, not as a socket.
class CompletionStream final : public penstock::uring::FileHandle {
 public:
  CompletionStream(penstock::uring::Reactor& reactor, penstock::OwnedFd fd)
      : FileHandle(reactor, std::move(fd), std::make_unique<Upper>()) {
    open();
  }

 private:
  void prepareRead(io_uring_sqe& entry, const penstock::uring::ReadRequest& request) override {
    io_uring_prep_read(&entry, descriptor(), request.into.data(),
                       static_cast<unsigned>(request.into.size()), kNoOffset);
    if (request.mode == penstock::uring::ReadMode::kPresent) entry.rw_flags = RWF_NOWAIT;
  }
  void prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) override {
    io_uring_prep_write(&entry, descriptor(), from[0].iov_base,
                        static_cast<unsigned>(from[0].iov_len), kNoOffset);
  }

  static constexpr auto kNoOffset = static_cast<std::uint64_t>(-1);
};
#endif

template <class Stream, class Reactor>
int shoutOn(const char* name, penstock::Backend backend) {
  std::unique_ptr<penstock::Reactor> reactor;
  try {
    reactor = penstock::Reactor::create({.backend = backend});
  } catch (const std::system_error& error) {
    std::printf("%s: not here: %s\n", name, error.what());
    return 0;
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | reactor->socketFlags(), 0, ends) != 0) return 1;
  const penstock::OwnedFd mine(ends[0]);
  new Stream(static_cast<Reactor&>(*reactor), penstock::OwnedFd(ends[1]));  // The reactor's now.

  if (write(mine.get(), "hello", 5) != 5) return 1;
  reactor->run();

  char answer[6] = {};
  const bool good = read(mine.get(), answer, 5) == 5 && std::string_view(answer) == "HELLO";
  std::printf("%s: %s\n", name, good ? "good" : "wrong answer");
  return good ? 0 : 1;
}

}  // namespace

int main() {
  int wrong = shoutOn<ReadinessStream, penstock::epoll::Reactor>("own epoll stream",
                                                                 penstock::Backend::kEpoll);
#ifdef WITH_URING
  wrong += shoutOn<CompletionStream, penstock::uring::Reactor>("own io_uring stream",
                                                               penstock::Backend::kUring);
#endif
  return wrong;
}
