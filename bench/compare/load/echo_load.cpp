#include <penstock/bench/compare/load/echo_load.h>

#include <poll.h>

#include <algorithm>

namespace penstock::compare {
namespace {

constexpr std::int64_t kSpinNs = 100'000;  // The next start is nearer than this: do not sleep.
constexpr std::size_t kStartsPerTurn = 64;
constexpr int kPatienceMs = 5000;

}  // namespace

EchoLoad::EchoLoad(const LoadRequest& request)
    : request_(request),
      into_(Pattern::kChunk),
      random_(request.seed),
      gapSeconds_(request.ratePerSecond > 0 ? request.ratePerSecond : 1) {
  connections_.reserve(request.cell.connections);  // They must not move: events name them.
}

EchoLoad::~EchoLoad() {
  for (Connection& connection : connections_) closeWithReset(connection.fd);
}

void EchoLoad::open() {
  Connection& connection = connections_.emplace_back();
  connection.fd = connectTo(request_.port);
  connection.offset = connections_.size() * 7919;  // Each its own part of the pattern.
  events_.add(connection.fd, EPOLLIN, indexOf(connection));
}

void EchoLoad::start() {
  for (unsigned i = 0; i < request_.cell.connections; ++i) open();
  startTraffic(connections_.size());
}

void EchoLoad::startTraffic(std::size_t active) {
  active_ = active;
  const std::int64_t now = monotonicNs();
  nextNs_ = static_cast<double>(now);
  if (request_.cell.open()) return planNext();
  for (std::size_t i = 0; i < active_; ++i) {
    startMessages(connections_[i], request_.cell.depth, now);
  }
}

void EchoLoad::stopTraffic() {
  active_ = 0;
  for (Connection& connection : connections_) awaitAnswers(connection);
}

void EchoLoad::roundTrip(Connection& connection) {
  startMessages(connection, 1, monotonicNs());
  awaitAnswers(connection);
}

void EchoLoad::awaitAnswers(Connection& connection) {
  while (!connection.started.empty()) {
    flush(connection);
    if (!waitFor(connection.fd, POLLIN, kPatienceMs)) throw ServerFault("an answer did not come");
    receive(connection);
  }
}

void EchoLoad::turn(std::int64_t untilNs) {
  if (request_.cell.open()) {
    startDueMessages();
    const auto next = static_cast<std::int64_t>(nextNs_) - kSpinNs;
    untilNs = std::min(untilNs, next);
  }
  for (const epoll_event& event : events_.wait(untilNs)) {
    Connection& connection = connections_[event.data.u32];
    if (event.events & EPOLLOUT) flush(connection);
    if (event.events & ~EPOLLOUT) receive(connection);
  }
}

void EchoLoad::windowCloses() {
  if (!request_.cell.open()) return;
  setExtra("backlog_messages", static_cast<double>(startedMessages_ - messages_));
}

void EchoLoad::planNext() { nextNs_ += gapSeconds_(random_) * 1e9; }

void EchoLoad::startDueMessages() {
  const std::int64_t now = monotonicNs();
  for (std::size_t i = 0; i < kStartsPerTurn && nextNs_ <= static_cast<double>(now); ++i) {
    startMessages(connections_[turnOf_], 1, static_cast<std::int64_t>(nextNs_));
    turnOf_ = (turnOf_ + 1) % active_;
    ++startedMessages_;
    planNext();
  }
}

void EchoLoad::startMessages(Connection& connection, unsigned count, std::int64_t ns) {
  for (unsigned i = 0; i < count; ++i) connection.started.push_back(ns);
  connection.wanted += count * request_.cell.size;
  if (!connection.waitsForSpace) flush(connection);
}

void EchoLoad::flush(Connection& connection) {
  while (connection.sent < connection.wanted) {
    const std::size_t want =
        std::min<std::uint64_t>(connection.wanted - connection.sent, Pattern::kChunk);
    const std::size_t sent =
        sendSome(connection.fd, pattern_.at(connection.offset + connection.sent), want);
    connection.sent += sent;
    if (sent < want) break;
  }
  const bool waits = connection.sent < connection.wanted;
  if (waits == connection.waitsForSpace) return;
  connection.waitsForSpace = waits;
  events_.change(connection.fd, EPOLLIN | (waits ? EPOLLOUT : 0U), indexOf(connection));
}

void EchoLoad::receive(Connection& connection) {
  const std::size_t count = receiveSome(connection.fd, into_);
  if (count == 0) return;
  check(connection, count);
  const std::uint64_t before = connection.received / request_.cell.size;
  connection.received += count;
  const std::uint64_t whole = connection.received / request_.cell.size - before;
  if (whole != 0) completed(connection, static_cast<unsigned>(whole), monotonicNs());
}

void EchoLoad::check(Connection& connection, std::size_t count) {
  if (connection.received + count > connection.sent) {
    throw ServerFault("the server sent more bytes than it was sent");
  }
  checkedBytes_ += count;
  requireMatch(pattern_, connection.offset + connection.received, connection.received, into_.data(),
               count);
}

void EchoLoad::completed(Connection& connection, unsigned count, std::int64_t ns) {
  messages_ += count;
  for (unsigned i = 0; i < count; ++i) {
    recordLatency(ns - connection.started.front());
    connection.started.pop_front();
  }
  const bool goesOn = !request_.cell.open() && indexOf(connection) < active_;
  if (goesOn) startMessages(connection, count, ns);
}

std::uint32_t EchoLoad::indexOf(const Connection& connection) const noexcept {
  return static_cast<std::uint32_t>(&connection - connections_.data());
}

}  // namespace penstock::compare
