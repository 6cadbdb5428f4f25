#include <penstock/sim/socket.h>

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace penstock::sim {

Socket::~Socket() {
  for (const std::shared_ptr<Socket>& child : accepted_) child->resetOnClose_ = true;
  for (const std::weak_ptr<Socket>& entry : waiting_) {
    if (const auto client = entry.lock()) client->connectFailed(ECONNREFUSED);
  }
  if (state_ == State::kConnected) closeConnection();
}

// Input that nobody has read makes it a reset.
void Socket::closeConnection() {
  in_->reader = nullptr;
  out_->writer = nullptr;
  if (!peer_) return;
  peer_->peer_ = nullptr;
  if (resetOnClose_ || !in_->empty()) {
    out_->hurry();
    peer_->wasReset();
  } else {
    out_->end();
  }
}

void Socket::join(Socket& one, Socket& other) {
  for (auto [from, to] : {std::pair(&one, &other), std::pair(&other, &one)}) {
    from->out_ = to->in_ = std::make_shared<Channel>(from->world_);
    from->out_->writer = from;
    from->out_->reader = to;
    if (from->sendBuffer_) from->out_->setCapacity(*from->sendBuffer_);
    from->peer_ = to;
  }
  one.connected();
  other.connected();
}

void Socket::connected() {
  state_ = State::kConnected;
  notify(0);
}

ssize_t Socket::receive(std::span<const iovec> into, int flags) {
  if (state_ != State::kConnected) return error_ ? -takeError() : -ENOTCONN;
  const bool peek = (flags & MSG_PEEK) != 0;
  std::size_t count = 0;
  for (const iovec& run : into) {
    if (in_->readable() == 0) break;
    world_.requireAlive({static_cast<std::byte*>(run.iov_base), run.iov_len}, "a receive");
    count += in_->take({static_cast<std::byte*>(run.iov_base), run.iov_len}, peek);
    if (peek) break;
  }
  if (count > 0) return static_cast<ssize_t>(count);
  if (in_->ended() && !isUnix()) return 0;  // TCP tells the end before an error that came later.
  if (error_) return -takeError();
  return receivesNoMore() ? 0 : -EAGAIN;
}

bool Socket::sendsNoMore() const noexcept { return shutWrite_ || broken_ || (isUnix() && !peer_); }

int Socket::refusal() {
  if (error_) return -takeError();
  if (state_ != State::kConnected) return isUnix() ? -ENOTCONN : -EPIPE;
  return sendsNoMore() ? -EPIPE : 0;
}

std::size_t Socket::awaitSpace() {
  if (!peer_) return std::numeric_limits<std::size_t>::max();
  out_->offersSpace();
  return out_->space();
}

ssize_t Socket::send(std::span<const iovec> from) {
  if (const int error = refusal()) return error;
  if (!peer_) return sendToNobody(from);
  std::size_t count = 0;
  for (const iovec& run : from) {
    world_.requireAlive({static_cast<std::byte*>(run.iov_base), run.iov_len}, "a send");
    const std::size_t taken = out_->put({static_cast<const std::byte*>(run.iov_base), run.iov_len});
    count += taken;
    if (taken < run.iov_len) break;
  }
  return count > 0 || sizeOf(from) == 0 ? static_cast<ssize_t>(count) : -EAGAIN;
}

ssize_t Socket::sendPart(std::span<const iovec> from, std::size_t most) {
  const ssize_t sent = send(firstOf({from.begin(), from.end()}, most));
  if (sent > 0) stall();
  return sent;
}

ssize_t Socket::send(std::span<const iovec> from, const Order& order) {
  switch (order.what) {
    case Order::What::kFail:
      if (order.error == EAGAIN) stall();
      return -order.error;
    case Order::What::kDelay:
      delayOutput(order.delay);
      return send(from);
    case Order::What::kCut:
      return sizeOf(from) > order.most ? sendPart(from, order.most) : send(from);
  }
  return 0;
}

std::optional<ssize_t> Socket::withhold(const Order& order) {
  switch (order.what) {
    case Order::What::kFail:
      if (order.error == EAGAIN) withdraw();
      return -order.error;
    case Order::What::kDelay:
      in_->hold(order.delay);
      if (in_->withdraw()) return -EAGAIN;
      return std::nullopt;
    case Order::What::kCut:
      in_->withdraw(order.most);
      return std::nullopt;
  }
  return std::nullopt;
}

// The peer has closed: the first bytes seem to go, and a reset is the answer.
ssize_t Socket::sendToNobody(std::span<const iovec> from) {
  in_->hurry();
  wasReset();
  return static_cast<ssize_t>(sizeOf(from));
}

void Socket::wasReset() {
  if (broken_) return;
  error_ = in_->ended() && !isUnix() ? EPIPE : ECONNRESET;
  broken_ = true;
  out_->discard();
  notify(0);
}

void Socket::breakDown() {
  if (state_ != State::kConnected) return;
  Socket* peer = std::exchange(peer_, nullptr);
  if (peer) peer->peer_ = nullptr;
  wasReset();
  if (peer) peer->wasReset();
}

int Socket::disconnect() {
  if (isUnix()) return -EINVAL;
  if (state_ != State::kConnected) return 0;
  resetOnClose_ = true;
  closeConnection();
  peer_ = nullptr;
  broken_ = true;
  error_ = ECONNRESET;
  notify(0);
  return 0;
}

void Socket::stall() {
  if (out_) out_->stall();
}

int Socket::shutdown(int how) {
  if (state_ == State::kListening) return 0;
  if (state_ != State::kConnected) return -ENOTCONN;
  if (how != SHUT_WR) shutRead_ = true;
  if (how != SHUT_RD && !std::exchange(shutWrite_, true) && peer_) out_->end();
  notify(0);
  return 0;
}

int Socket::listen(int backlog) {
  if (state_ != State::kFresh && state_ != State::kListening) return -EINVAL;
  state_ = State::kListening;
  backlog_ = static_cast<std::size_t>(std::clamp(backlog, 0, SOMAXCONN));
  return 0;
}

std::pair<std::shared_ptr<Socket>, int> Socket::accept() {
  if (state_ != State::kListening) return {nullptr, -EINVAL};
  if (accepted_.empty()) return {nullptr, -EAGAIN};
  const std::shared_ptr<Socket> child = accepted_.front();
  accepted_.pop_front();
  admitWaiting();
  return {child, 0};
}

void Socket::admitWaiting() {
  while (!waiting_.empty() && !isFull()) {
    const std::shared_ptr<Socket> client = waiting_.front().lock();
    waiting_.pop_front();
    if (client && client->state_ == State::kConnecting) admit(client);
  }
}

void Socket::admit(const std::shared_ptr<Socket>& client) {
  if (isFull()) return waiting_.push_back(client);
  auto child = std::make_shared<Socket>(world_, domain_);
  child->sendBuffer_ = sendBuffer_;
  child->options_ = options_;
  child->local = isUnix() ? local : client->remote;
  child->remote = client->local;
  join(*child, *client);
  accepted_.push_back(std::move(child));
  notify(EPOLLIN);
}

void Socket::connectFailed(int error) {
  if (state_ != State::kConnecting) return;
  state_ = State::kFresh;
  error_ = error;
  notify(0);
}

int Socket::copyName(const Name& name, sockaddr* address, socklen_t* length) const {
  Name given = name;
  if (given.length == 0) {
    given.address.ss_family = static_cast<sa_family_t>(domain_);
    given.length = sizeof given.address.ss_family;
  }
  std::memcpy(address, &given.address, std::min(*length, given.length));
  *length = given.length;
  return 0;
}

std::uint32_t Socket::readiness() const {
  const std::uint32_t failed = error_ ? EPOLLERR : 0U;
  switch (state_) {
    case State::kFresh:
      return failed | EPOLLOUT | EPOLLHUP | (error_ ? EPOLLIN | EPOLLRDHUP : 0U);
    case State::kListening:
      return accepted_.empty() ? 0U : EPOLLIN;
    case State::kConnecting:
      return 0;
    case State::kConnected:
      break;
  }
  const bool deaf = receivesNoMore();
  const bool mute = sendsNoMore();
  std::uint32_t events = failed;
  if (deaf || in_->readable() > 0) events |= EPOLLIN;
  if (deaf) events |= EPOLLRDHUP;
  if (mute || !peer_ || out_->offersSpace()) events |= EPOLLOUT;
  if (deaf && mute) events |= EPOLLHUP;
  return events;
}

int Socket::setOption(int level, int name, const void* value, socklen_t length) {
  const auto* bytes = static_cast<const std::byte*>(value);
  options_[{level, name}].assign(bytes, bytes + length);
  if (level != SOL_SOCKET) return 0;
  if (name == SO_LINGER && length >= sizeof(linger)) {
    linger wanted;
    std::memcpy(&wanted, value, sizeof wanted);
    resetOnClose_ = wanted.l_onoff != 0 && wanted.l_linger == 0;
  }
  if (name == SO_SNDBUF && length >= sizeof(int)) {
    int size;
    std::memcpy(&size, value, sizeof size);
    sendBuffer_ = 2 * static_cast<std::size_t>(std::max(size, 1024));
    if (out_) out_->setCapacity(*sendBuffer_);
  }
  return 0;
}

int Socket::getOption(int level, int name, void* value, socklen_t* length) {
  std::vector<std::byte> answer(sizeof(int));
  const auto answerWith = [&](const auto& that) {
    answer.resize(sizeof that);
    std::memcpy(answer.data(), &that, sizeof that);
  };
  const auto set = options_.find({level, name});
  if (set != options_.end()) answer = set->second;
  if (level == SOL_SOCKET) {
    if (name == SO_ERROR) answerWith(takeError());
    if (name == SO_TYPE) answerWith(int{SOCK_STREAM});
    if (name == SO_DOMAIN) answerWith(domain_);
    if (name == SO_PROTOCOL) answerWith(isUnix() ? 0 : int{IPPROTO_TCP});
    if (name == SO_ACCEPTCONN) answerWith(state_ == State::kListening ? 1 : 0);
    if (name == SO_PEERCRED) answerWith(ucred{getpid(), getuid(), getgid()});
  }
  *length = std::min<socklen_t>(*length, static_cast<socklen_t>(answer.size()));
  std::memcpy(value, answer.data(), *length);
  return 0;
}

bool Socket::hasFlag(int level, int name) const {
  const auto set = options_.find({level, name});
  if (set == options_.end() || set->second.size() < sizeof(int)) return false;
  int value;
  std::memcpy(&value, set->second.data(), sizeof value);
  return value != 0;
}

}  // namespace penstock::sim
