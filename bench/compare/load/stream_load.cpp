#include <penstock/bench/compare/load/stream_load.h>
#include <penstock/bench/compare/usage.h>

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace penstock::compare {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;
constexpr std::int64_t kReadEveryNs = 2'000'000;
constexpr int kEndPatienceMs = 5000;

// The events of a lane's two sockets are told apart by the lowest bit.
constexpr std::uint32_t kIn = 0;
constexpr std::uint32_t kOut = 1;

int fileOf(const Pattern& pattern) {
  const int file = checked(::memfd_create("pattern", MFD_CLOEXEC), "memfd_create");
  std::size_t written = 0;
  while (written < pattern.period() + Pattern::kChunk) {
    const std::size_t left = pattern.period() + Pattern::kChunk - written;
    const ssize_t count = ::write(file, pattern.at(written), std::min(left, Pattern::kChunk));
    checked(static_cast<int>(count), "write");
    written += static_cast<std::size_t>(count);
  }
  return file;
}

}  // namespace

StreamLoad::StreamLoad(const LoadRequest& request, StreamKind kind)
    : request_(request), kind_(kind), into_(Pattern::kChunk) {
  if (kind.cheapWindow && kind.sends) file_ = fileOf(*kind.pattern);
}

StreamLoad::~StreamLoad() {
  for (const Lane& lane : lanes_) {
    closeWithReset(lane.outFd);
    if (lane.inFd != lane.outFd) closeWithReset(lane.inFd);
  }
  if (file_ >= 0) ::close(file_);
}

void StreamLoad::connect() {
  for (unsigned i = 0; i < request_.cell.connections; ++i) openLane();
  residentBefore_ = memoryOf(request_.target.server).resident;
  for (std::uint32_t i = 0; i < lanes_.size(); ++i) watch(lanes_[i], i);
}

void StreamLoad::resume() { nextReadNs_ = monotonicNs() + kReadEveryNs; }

// Without end, or slower than they come, the bytes are held by back-pressure between slices: all
// that is between the two ends is full, before a slice as after it.
bool StreamLoad::isHeld() const noexcept { return !kind_.sends || kind_.readRate > 0; }

void StreamLoad::drain() {
  if (isHeld()) return;
  if (!kind_.receives) return awaitSent();
  for (Lane& lane : lanes_) lane.wanted = lane.sent;
  awaitAll();
}

// All that was sent is at the server, which reads it before it rests.
void StreamLoad::awaitSent() const {
  constexpr timespec kMoment{0, 20'000};
  const std::int64_t end = monotonicNs() + std::int64_t{kEndPatienceMs} * 1'000'000;
  for (const Lane& lane : lanes_) {
    int left = 1;
    while (checked(::ioctl(lane.outFd, SIOCOUTQ, &left), "SIOCOUTQ") == 0 && left > 0) {
      if (monotonicNs() > end) throw ServerFault("the server does not read what it is sent");
      ::nanosleep(&kMoment, nullptr);
    }
  }
}

// One after the other, so that it is known which connection back belongs to which.
void StreamLoad::openLane() {
  Lane& lane = lanes_.emplace_back();
  lane.outFd = lane.inFd = connectTo(request_.target.port);
  if (kind_.comesBackElsewhere) lane.inFd = acceptFrom(request_.target.listenFd);
}

void StreamLoad::watch(const Lane& lane, std::uint32_t index) {
  const bool reads = kind_.receives && kind_.readRate == 0;
  const std::uint32_t in = reads ? EPOLLIN : 0U;
  const std::uint32_t out = kind_.sends ? EPOLLOUT : 0U;
  if (lane.inFd == lane.outFd) return events_.add(lane.inFd, in | out, index * 2 + kIn);
  events_.add(lane.inFd, in, index * 2 + kIn);
  events_.add(lane.outFd, out, index * 2 + kOut);
}

void StreamLoad::turn(std::int64_t untilNs) {
  if (kind_.readRate > 0) untilNs = std::min(untilNs, nextReadNs_);
  for (const epoll_event& event : events_.wait(untilNs)) {
    Lane& lane = lanes_[event.data.u32 / 2];
    const bool outSide = lane.inFd == lane.outFd || event.data.u32 % 2 == kOut;
    if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
      if (kind_.receives && event.data.u32 % 2 == kIn) receive(lane, Pattern::kChunk);
    }
    if (outSide && (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && kind_.sends) send(lane);
  }
  if (kind_.readRate > 0) readAtRate(monotonicNs());
}

void StreamLoad::send(Lane& lane) {
  const std::size_t count =
      isCheap() ? sendFromFile(lane)
                : sendSome(lane.outFd, kind_.pattern->at(lane.sent), Pattern::kChunk);
  lane.sent += count;
  sentBytes_ += count;
}

std::size_t StreamLoad::sendFromFile(const Lane& lane) {
  auto offset = static_cast<off_t>(lane.sent % kind_.pattern->period());
  const ssize_t count = ::sendfile(lane.outFd, file_, &offset, Pattern::kChunk);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno == EAGAIN || errno == EINTR) return 0;
  throw ServerFault("sending to the server failed");
}

std::size_t StreamLoad::receive(Lane& lane, std::size_t most) {
  const std::size_t count = receiveSome(lane.inFd, std::span(into_).first(most), isCheap());
  if (count != 0 && !isCheap()) check(lane, count);
  if (kind_.sends && lane.received + count > lane.sent) {
    throw ServerFault("the server sent more bytes than it was sent");
  }
  lane.received += count;
  receivedBytes_ += count;
  return count;
}

void StreamLoad::check(const Lane& lane, std::size_t count) {
  checkedBytes_ += count;
  requireMatch(*kind_.pattern, lane.received, lane.received, into_.data(), count);
}

// Every few milliseconds a portion, from each connection in its turn.
void StreamLoad::readAtRate(std::int64_t now) {
  if (now < nextReadNs_) return;
  nextReadNs_ += kReadEveryNs;
  auto portion = static_cast<std::size_t>(kind_.readRate * static_cast<double>(kReadEveryNs) / 1e9);
  for (std::size_t i = 0; i < lanes_.size() && portion > 0; ++i) {
    Lane& lane = lanes_[readTurn_++ % lanes_.size()];
    portion -= receive(lane, std::min(portion, Pattern::kChunk));
  }
}

// What was sent must all arrive: back at us, or, where nothing comes back, at a server that then
// closes without a reset.
void StreamLoad::finish() {
  const std::int64_t grown = memoryOf(request_.target.server).resident - residentBefore_;
  if (kind_.readRate > 0) setExtra("growth_mib", static_cast<double>(grown) / kMiB);
  for (Lane& lane : lanes_) {
    if (kind_.sends) checked(::shutdown(lane.outFd, SHUT_WR), "shutdown");
    lane.wanted = kind_.sends ? lane.sent : lane.received + 1;
  }
  if (kind_.receives) awaitAll();
  for (const Lane& lane : lanes_) {
    if (kind_.sends) expectEnd(lane);
  }
}

// From all in turn: a server may not get at the bytes of one before those of another are taken.
void StreamLoad::awaitAll() {
  for (std::vector<pollfd> lacking = socketsLacking(); !lacking.empty();
       lacking = socketsLacking()) {
    if (::poll(lacking.data(), lacking.size(), kEndPatienceMs) == 0) {
      throw ServerFault("bytes were lost: " + std::to_string(bytesLacking()));
    }
    for (Lane& lane : lanes_) {
      if (lane.received < lane.wanted) receive(lane, Pattern::kChunk);
    }
  }
}

std::vector<pollfd> StreamLoad::socketsLacking() const {
  std::vector<pollfd> sockets;
  for (const Lane& lane : lanes_) {
    if (lane.received < lane.wanted) sockets.push_back({lane.inFd, POLLIN, 0});
  }
  return sockets;
}

std::uint64_t StreamLoad::bytesLacking() const noexcept {
  std::uint64_t sum = 0;
  for (const Lane& lane : lanes_) sum += lane.wanted - std::min(lane.wanted, lane.received);
  return sum;
}

void StreamLoad::expectEnd(const Lane& lane) {
  if (!waitFor(lane.inFd, POLLIN, kEndPatienceMs)) {
    throw ServerFault("the server did not end the connection that this side had ended");
  }
  const ssize_t count = ::recv(lane.inFd, into_.data(), into_.size(), MSG_DONTWAIT);
  if (count < 0) throw ServerFault("the server reset a connection with bytes on their way");
}

// What is held was moved by the server, whether it was read here or not.
double StreamLoad::settledUnits() const {
  double waiting = 0;
  for (const Lane& lane : lanes_) {
    int count = 0;
    if (isHeld()) checked(::ioctl(lane.inFd, SIOCINQ, &count), "SIOCINQ");
    waiting += count;
  }
  return units() + waiting / kMiB;
}

double StreamLoad::units() const noexcept {
  return static_cast<double>(kind_.receives ? receivedBytes_ : sentBytes_) / kMiB;
}

}  // namespace penstock::compare
