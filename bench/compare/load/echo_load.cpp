#include <penstock/bench/compare/load/client_socket.h>
#include <penstock/bench/compare/load/echo_load.h>
#include <penstock/bench/compare/usage.h>

#include <algorithm>

namespace penstock::compare {
namespace {

constexpr std::int64_t kSpinNs = 100'000;  // The next start is nearer than this: do not sleep.
constexpr std::size_t kStartsPerTurn = 64;
constexpr std::int64_t kPatienceNs = 3'000'000'000;

}  // namespace

EchoLoad::EchoLoad(const LoadRequest& request)
    : request_(request),
      sockets_(makeSockets(request.cell.client, *this, request.cell.size * request.cell.depth)),
      random_(request.seed),
      gapSeconds_(request.ratePerSecond > 0 ? request.ratePerSecond : 1) {
  connections_.reserve(request.cell.connections);  // They must not move.
}

void EchoLoad::open() {
  Connection& connection = connections_.emplace_back();
  sockets_->add(connectTo(request_.target.port));
  connection.offset = connections_.size() * 7919;  // Each its own part of the pattern.
}

void EchoLoad::connect() {
  for (unsigned i = 0; i < request_.cell.connections; ++i) open();
  setActive(connections_.size());
}

void EchoLoad::resume() {
  running_ = true;
  const std::int64_t now = monotonicNs();
  nextNs_ = static_cast<double>(now);
  if (request_.cell.open()) return planNext();
  for (std::size_t i = 0; i < active_; ++i) {
    startMessages(connections_[i], request_.cell.depth, now);
  }
}

// A message whose answer never comes is lost, however many others came back.
void EchoLoad::drain() {
  running_ = false;
  awaitAnswers();
}

void EchoLoad::roundTrip(Connection& connection) {
  startMessages(connection, 1, monotonicNs());
  awaitAnswers();
}

void EchoLoad::awaitAnswers() {
  const std::size_t all = underWay_;
  std::int64_t end = monotonicNs() + kPatienceNs;
  while (underWay_ > 0) {
    const std::size_t before = underWay_;
    sockets_->turn(end);
    const std::int64_t now = monotonicNs();
    if (underWay_ < before) end = now + kPatienceNs;
    if (now < end) continue;
    throw ServerFault(underWay_ == all ? "nothing came back for 3 s" : "an answer did not come");
  }
}

void EchoLoad::turn(std::int64_t untilNs) {
  if (request_.cell.open()) {
    startDueMessages();
    const auto next = static_cast<std::int64_t>(nextNs_) - kSpinNs;
    untilNs = std::min(untilNs, next);
  }
  sockets_->turn(untilNs);
}

void EchoLoad::planNext() { nextNs_ += gapSeconds_(random_) * 1e9; }

// How late a message starts is ours, and no fault of the server: it is measured.
void EchoLoad::startDueMessages() {
  for (std::size_t i = 0; i < kStartsPerTurn; ++i) {
    const std::int64_t now = monotonicNs();
    const auto due = static_cast<std::int64_t>(nextNs_);
    if (due > now) return;
    recordLateness(now - due);
    startMessages(connections_[turnOf_], 1, due);
    turnOf_ = (turnOf_ + 1) % active_;
    planNext();
  }
}

void EchoLoad::startMessages(Connection& connection, unsigned count, std::int64_t ns) {
  for (unsigned i = 0; i < count; ++i) connection.started.push_back(ns);
  underWay_ += count;
  connection.wanted += count * request_.cell.size;
  if (!connection.sending) flush(connection);
}

void EchoLoad::flush(Connection& connection) {
  if (connection.sent == connection.wanted) return;
  const std::size_t count =
      std::min<std::uint64_t>(connection.wanted - connection.sent, Pattern::kChunk);
  const std::byte* bytes = pattern_.at(connection.offset + connection.sent);
  connection.sending = true;
  connection.sent += count;
  sockets_->send(indexOf(connection), {bytes, count});
}

void EchoLoad::sent(std::uint32_t index) {
  connections_[index].sending = false;
  flush(connections_[index]);
}

void EchoLoad::received(std::uint32_t index, std::span<const std::byte> bytes) {
  Connection& connection = connections_[index];
  check(connection, bytes);
  if (connection.received == 0) ++answered_;
  const std::uint64_t before = connection.received / request_.cell.size;
  connection.received += bytes.size();
  const std::uint64_t whole = connection.received / request_.cell.size - before;
  if (whole != 0) completed(connection, static_cast<unsigned>(whole), monotonicNs());
}

void EchoLoad::check(const Connection& connection, std::span<const std::byte> bytes) {
  if (connection.received + bytes.size() > connection.sent) {
    throw ServerFault("the server sent more bytes than it was sent");
  }
  checkedBytes_ += bytes.size();
  requireMatch(pattern_, connection.offset + connection.received, connection.received, bytes.data(),
               bytes.size());
}

void EchoLoad::completed(Connection& connection, unsigned count, std::int64_t ns) {
  messages_ += count;
  underWay_ -= count;
  for (unsigned i = 0; i < count; ++i) {
    recordLatency(ns - connection.started.front());
    connection.started.pop_front();
  }
  const bool goesOn = running_ && !request_.cell.open() && indexOf(connection) < active_;
  if (goesOn) startMessages(connection, count, ns);
}

std::uint32_t EchoLoad::indexOf(const Connection& connection) const noexcept {
  return static_cast<std::uint32_t>(&connection - connections_.data());
}

}  // namespace penstock::compare
