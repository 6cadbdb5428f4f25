// Network: who is bound to which address, and how connections find their listener.
#pragma once

#include <penstock/sim/socket.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace penstock::sim {

// The loopback addresses of IPv4 and IPv6, and UNIX names. A path is a real file, made as bind(2)
// makes it, so that unlink(2), stat(2) and the like see what they would. Elsewhere than here,
// nobody ever answers.
class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  // 0 or -errno each; connect() gives -EINPROGRESS for what is not decided yet.
  int bind(const std::shared_ptr<Socket>& socket, const sockaddr* address, socklen_t length);
  int listen(const std::shared_ptr<Socket>& socket, int backlog);
  int connect(const std::shared_ptr<Socket>& socket, const sockaddr* address, socklen_t length);

 private:
  static constexpr std::uint16_t kFirstPort = 32768;

  int bindPath(Socket& socket, const Name& name) const;
  bool conflicts(const Socket& socket, const Name& name) const;
  bool takeFreePort(const Socket& socket, Name& name);
  void nameLocal(const std::shared_ptr<Socket>& socket, const Name& destination);
  std::shared_ptr<Socket> listenerAt(const Name& name) const;
  int connectUnix(const std::shared_ptr<Socket>& socket, const Name& name);
  void setOut(const std::shared_ptr<Socket>& socket);
  void reach(const std::shared_ptr<Socket>& socket);

  World& world_;
  std::vector<std::weak_ptr<Socket>> bound_;
  std::uint16_t lastPort_ = kFirstPort;
  unsigned lastAbstract_ = 0;
};

}  // namespace penstock::sim
