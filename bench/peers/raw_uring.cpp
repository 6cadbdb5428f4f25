// peer-raw-uring: the floor for completion. The best loop round io_uring that we know by hand.
//
// One kernel entry per turn; multishot accept; receives that take from a small shared ring of
// buffers (--receive single|multishot|bundle, --buffers, --buffer-size); exactly one send in
// flight per connection, of all that waits, because several would reorder. The ring is the
// pressure valve: a receive that finds it empty is parked and tried again once buffers came back,
// so one client that never reads can hold all others up. A floor may do that; a library may not.
#include "peer.h"
#include "raw_timers.h"
#include "raw_uring_buffers.h"
#include "raw_uring_connection.h"

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace peer {
namespace {

constexpr unsigned kEntries = 1024;
constexpr unsigned kCompletions = 4 * kEntries;
constexpr unsigned kRunsPerSend = 64;
constexpr std::uint16_t kRecvSendBundle = 1U << 4;  // IORING_*, unknown to liburing 2.3.
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_WAITALL;

enum class Receive { kSingle, kMultishot, kBundle };

// What a completion is of, in the low bits of its user_data; above them is the connection.
enum class Tag : std::uint64_t { kNone, kAccept, kConnect, kReceive, kSend };
constexpr std::uint64_t kTagMask = 7;

struct Message {
  msghdr header;
  std::array<iovec, kRunsPerSend> runs;
};

class Server {
 public:
  Options options;
  Receive receive = Receive::kBundle;
  std::uint32_t buffers = 64;
  std::uint32_t bufferSize = 16384;
  std::size_t chunk = kChunk;

  void start();
  [[noreturn]] void run();

 private:
  void enter();
  io_uring_sqe& entry();
  void complete(const io_uring_cqe& completion);

  void accept();
  void accepted(int fd);
  void join(int client);
  void connected(Connection& upstream, int result);

  void startReceiving(Connection& connection);
  void received(Connection& connection, int count, std::uint32_t flags);
  void keep(Connection& connection, int count, std::uint32_t flags);
  void inputEnded(Connection& connection);
  void park(Connection& connection);
  void unpark(Lane& lane);
  static bool mayUnpark(const Lane& lane) {
    return lane.firstParked && lane.buffers.available() > 0;
  }

  void startSending(Connection& connection);
  void sendPattern(Connection& connection);
  void sent(Connection& connection, int count);
  void finish(Connection& connection);
  void close(Connection& connection);
  void closePair(Connection& connection);
  void freeIfIdle(Connection& connection);

  bool timed() const { return options.workload == Workload::kTimers; }
  bool relays() const { return options.workload == Workload::kRelay; }
  bool discards() const {
    return options.workload == Workload::kSink || options.workload == Workload::kSource;
  }

  io_uring ring_{};
  int listener_ = -1;
  Lane in_;        // From clients.
  Lane returned_;  // From where a relay connects to: neither way can starve the other.
  std::unique_ptr<Message[]> messages_ = std::make_unique_for_overwrite<Message[]>(kEntries);
  unsigned messagesUsed_ = 0;  // Since the last submission, which was the last to read them.
  Pattern pattern_;
  Timers timers_;
};

void Server::start() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  const int result = io_uring_queue_init_params(kEntries, &ring_, &params);
  errno = -result;
  check(result, "io_uring_queue_init_params");
  in_.buffers.create(ring_, 0, buffers, bufferSize);
  if (relays()) returned_.buffers.create(ring_, 1, buffers, bufferSize);
  pattern_ = Pattern(chunk);
  listener_ = listenOn(options.port, 0);
  accept();
  announce(portOf(listener_), "raw-uring", std::string("liburing-") + PEER_LIBURING_VERSION);
}

void Server::run() {
  for (;;) {
    enter();
    if (timed()) timers_.startTurn();
    io_uring_cqe* completion;
    unsigned head;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, completion) {
      complete(*completion);
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
    while (Timer* timer = timers_.takeDue()) close(*static_cast<Connection*>(timer));
    unpark(in_);
    if (relays()) unpark(returned_);
  }
}

// The one kernel entry of a turn.
void Server::enter() {
  messagesUsed_ = 0;
  if (mayUnpark(in_) || mayUnpark(returned_)) {
    io_uring_submit_and_get_events(&ring_);
  } else if (const auto wait = timed() ? timers_.wait() : std::nullopt) {
    __kernel_timespec limit{wait->count() / 1'000'000'000, wait->count() % 1'000'000'000};
    io_uring_cqe* first = nullptr;
    io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr);
  } else {
    io_uring_submit_and_wait(&ring_, 1);
  }
}

io_uring_sqe& Server::entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (!entry) {
    io_uring_submit(&ring_);
    messagesUsed_ = 0;
    entry = io_uring_get_sqe(&ring_);
  }
  return *entry;
}

// After the entry was prepared.
void mark(io_uring_sqe& entry, const Connection* connection, Tag tag) {
  entry.user_data = reinterpret_cast<std::uint64_t>(connection) | static_cast<std::uint64_t>(tag);
}

void Server::complete(const io_uring_cqe& completion) {
  auto* connection = reinterpret_cast<Connection*>(completion.user_data & ~kTagMask);
  switch (static_cast<Tag>(completion.user_data & kTagMask)) {
    case Tag::kNone:
      return;
    case Tag::kAccept:
      if (!(completion.flags & IORING_CQE_F_MORE)) accept();
      errno = -completion.res;
      check(completion.res, "accept");
      return accepted(completion.res);
    case Tag::kConnect:
      return connected(*connection, completion.res);
    case Tag::kReceive:
      return received(*connection, completion.res, completion.flags);
    case Tag::kSend:
      return sent(*connection, completion.res);
  }
}

// --- Beginning -----------------------------------------------------------------------------------

void Server::accept() {
  io_uring_sqe& sqe = entry();
  io_uring_prep_multishot_accept(&sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
  mark(sqe, nullptr, Tag::kAccept);
}

void Server::accepted(int fd) {
  if (relays()) return join(fd);
  auto* connection = new Connection(fd, in_, in_);
  connection->to = connection;
  startReceiving(*connection);
  if (timed()) timers_.arm(*connection);
  if (options.workload == Workload::kSource) sendPattern(*connection);
}

void Server::join(int client) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(fd, "socket");
  setNoDelay(fd);
  auto* near = new Connection(client, in_, returned_);
  auto* far = new Connection(fd, returned_, in_);
  near->to = far;
  far->to = near;
  far->connecting = true;
  io_uring_sqe& sqe = entry();
  io_uring_prep_connect(&sqe, fd, reinterpret_cast<const sockaddr*>(&options.to),
                        sizeof options.to);
  mark(sqe, far, Tag::kConnect);
}

void Server::connected(Connection& upstream, int result) {
  upstream.connecting = false;
  if (result < 0) return closePair(upstream);
  startReceiving(upstream);
  startReceiving(*upstream.to);
}

// --- Receiving -----------------------------------------------------------------------------------

void Server::startReceiving(Connection& connection) {
  io_uring_sqe& sqe = entry();
  io_uring_prep_recv(&sqe, connection.fd, nullptr, 0, 0);
  mark(sqe, &connection, Tag::kReceive);
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = connection.in.buffers.group();
  if (receive != Receive::kSingle) sqe.ioprio |= IORING_RECV_MULTISHOT;
  if (receive == Receive::kBundle) sqe.ioprio |= kRecvSendBundle;
  if (!connection.moreWaits) sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
  connection.receiving = true;
}

void Server::received(Connection& connection, int count, std::uint32_t flags) {
  if (!(flags & IORING_CQE_F_MORE)) connection.receiving = false;
  connection.moreWaits = (flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
  if (count > 0) keep(connection, count, flags);
  if (connection.closing) return freeIfIdle(connection);
  if (count == 0) return inputEnded(connection);
  if (count == -ENOBUFS) return park(connection);
  if (count < 0) return closePair(connection);
  if (connection.receiving) return;
  if (connection.in.buffers.available() == 0) return park(connection);
  startReceiving(connection);
}

// Passes what came on to where it goes, or gives its buffers back.
void Server::keep(Connection& connection, int count, std::uint32_t flags) {
  const bool drop = connection.closing || discards();
  Buffers& from = connection.in.buffers;
  from.filled(flags, static_cast<std::uint32_t>(count), [&](BufferId id) {
    if (drop) return from.provide(id);
    connection.to->queue.add(from, id);
  });
  if (discards()) from.publish();  // A receive goes on while this turn does.
  if (drop) return;
  connection.cancel();
  connection.work.received(static_cast<std::size_t>(count), options);
  if (!connection.to->sending) startSending(*connection.to);
  if (timed()) timers_.arm(connection);
}

void Server::inputEnded(Connection& connection) {
  connection.inputEnded = true;
  if (discards()) return close(connection);
  connection.to->finishing = true;
  if (!connection.to->sending) finish(*connection.to);
}

void Server::park(Connection& connection) {
  connection.parked = connection.moreWaits = true;
  connection.behind = nullptr;
  Lane& lane = connection.in;
  (lane.firstParked ? lane.lastParked->behind : lane.firstParked) = &connection;
  lane.lastParked = &connection;
}

// The buffers that came back in this turn serve as many of the parked as there are. Those that
// find no data leave their buffer to the next, and nobody would wake us for it: see enter().
void Server::unpark(Lane& lane) {
  lane.buffers.publish();
  std::uint32_t tried = 0;
  while (lane.firstParked && tried++ < lane.buffers.available()) {
    Connection& connection = *std::exchange(lane.firstParked, lane.firstParked->behind);
    connection.parked = false;
    if (connection.closing) {
      freeIfIdle(connection);
    } else {
      startReceiving(connection);
    }
  }
}

// --- Sending -------------------------------------------------------------------------------------

void Server::startSending(Connection& connection) {
  io_uring_sqe& sqe = entry();
  Message& message = messages_[messagesUsed_];
  const unsigned runs = connection.queue.gather(connection.out.buffers, message.runs);
  if (runs == 1) {
    io_uring_prep_send(&sqe, connection.fd, message.runs[0].iov_base, message.runs[0].iov_len,
                       kSendFlags);
  } else {
    ++messagesUsed_;
    message.header = {};
    message.header.msg_iov = message.runs.data();
    message.header.msg_iovlen = runs;
    io_uring_prep_sendmsg(&sqe, connection.fd, &message.header, kSendFlags);
  }
  mark(sqe, &connection, Tag::kSend);
  connection.sending = true;
}

void Server::sendPattern(Connection& connection) {
  io_uring_sqe& sqe = entry();
  io_uring_prep_send(&sqe, connection.fd, pattern_.at(connection.sent), pattern_.chunk(),
                     kSendFlags);
  mark(sqe, &connection, Tag::kSend);
  connection.sending = true;
}

void Server::sent(Connection& connection, int count) {
  connection.sending = false;
  if (connection.closing) return freeIfIdle(connection);
  if (count < 0) return closePair(connection);
  if (options.workload == Workload::kSource) {
    connection.sent += static_cast<std::uint64_t>(count);
    return sendPattern(connection);
  }
  connection.queue.sent(connection.out.buffers, static_cast<std::size_t>(count));
  if (!connection.queue.empty()) return startSending(connection);
  if (connection.finishing) finish(connection);
}

// --- Ending --------------------------------------------------------------------------------------

// All was sent that will ever be.
void Server::finish(Connection& connection) {
  connection.finished = true;
  if (connection.to == &connection) return close(connection);
  ::shutdown(connection.fd, SHUT_WR);
  if (connection.to->finished) closePair(connection);
}

void Server::closePair(Connection& connection) {
  Connection& other = *connection.to;
  close(other);
  if (&other != &connection) close(connection);
}

// What is in flight would keep the socket open: shut down, it ends soon.
void Server::close(Connection& connection) {
  if (std::exchange(connection.closing, true)) return;
  if (connection.receiving || connection.sending) ::shutdown(connection.fd, SHUT_RDWR);
  freeIfIdle(connection);
}

// The buffers first: it may be parked for want of the very ones that it holds.
void Server::freeIfIdle(Connection& connection) {
  if (connection.sending) return;
  connection.queue.clear(connection.out.buffers);
  if (connection.receiving || connection.connecting || connection.parked) return;
  io_uring_sqe& sqe = entry();
  io_uring_prep_close(&sqe, connection.fd);
  mark(sqe, nullptr, Tag::kNone);
  sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
  delete &connection;
}

Receive receiveNamed(std::string_view name) {
  if (name == "single") return Receive::kSingle;
  if (name == "multishot") return Receive::kMultishot;
  if (name == "bundle") return Receive::kBundle;
  refuse("--receive is single, multishot or bundle");
}

}  // namespace
}  // namespace peer

int main(int argc, char** argv) {
  using namespace peer;
  Server server;
  server.options = optionsOf(argc, argv, [&](std::string_view name, auto value) {
    if (name == "--receive") {
      server.receive = receiveNamed(value());
    } else if (name == "--buffers") {
      server.buffers = numberOf<std::uint16_t>(name, value());
    } else if (name == "--buffer-size") {
      server.bufferSize = numberOf<std::uint32_t>(name, value());
    } else if (name == "--chunk") {
      server.chunk = numberOf<std::uint32_t>(name, value());
    } else {
      return false;
    }
    return true;
  });
  if (!std::has_single_bit(server.buffers)) refuse("--buffers: a power of two is needed");
  if (server.bufferSize == 0 || server.chunk == 0) refuse("a buffer has at least one byte");
  server.start();
  server.run();
}
