#include <penstock/runtime/core/descriptor_kind.h>
#include <penstock/runtime/system/socket_calls.h>

#include <sys/socket.h>

#include <cerrno>

namespace penstock {
namespace {

class SocketKind final : public DescriptorKind {
 public:
  void endWriting(int fd) const noexcept override { socketCalls().shutdown(fd, SHUT_WR); }

  // A description that has copies is not ended by closing one of its descriptors.
  void end(int fd, bool reset) const noexcept override {
    if (!(reset && wasReset(fd))) socketCalls().shutdown(fd, SHUT_RDWR);
  }

  int takeError(int fd) const noexcept override {
    int error = 0;
    socklen_t length = sizeof error;
    socketCalls().getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
  }

 private:
  // False: a socket of this kind has no reset. connect(2) with AF_UNSPEC resets a TCP connection
  // whoever else holds it, unless a thread waits on a copy just now: then closing has to do it.
  static bool wasReset(int fd) noexcept {
    const linger immediately{1, 0};
    socketCalls().setsockopt(fd, SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
    const sockaddr nowhere{AF_UNSPEC, {}};
    const int result = socketCalls().connect(fd, &nowhere, sizeof nowhere);
    return result == 0 || result == -EBUSY;
  }
};

constexpr SocketKind kSocket;

}  // namespace

const DescriptorKind& socketKind() noexcept { return kSocket; }

}  // namespace penstock
