#include <penstock/bench/compare/load/churn_load.h>
#include <penstock/bench/compare/usage.h>

#include <unistd.h>

namespace penstock::compare {

ChurnLoad::ChurnLoad(const LoadRequest& request)
    : request_(request), slots_(request.cell.connections), into_(Pattern::kChunk) {}

ChurnLoad::~ChurnLoad() {
  for (const Slot& slot : slots_) {
    if (slot.fd >= 0) closeWithReset(slot.fd);
  }
}

void ChurnLoad::resume() {
  running_ = true;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) open(i);
}

// The last ones end, and no others begin.
void ChurnLoad::drain() {
  constexpr std::int64_t kPatienceNs = 3'000'000'000;
  running_ = false;
  const std::int64_t end = monotonicNs() + kPatienceNs;
  while (openNow_ > 0) {
    if (monotonicNs() >= end) throw ServerFault("an answer did not come");
    turn(end);
  }
}

void ChurnLoad::turn(std::int64_t untilNs) {
  for (const epoll_event& event : events_.wait(untilNs)) {
    Slot& slot = slots_[event.data.u32];
    if (slot.sent < request_.cell.size) send(slot, event.data.u32);
    if (event.events & ~EPOLLOUT) receive(slot, event.data.u32);
  }
}

std::uint32_t ChurnLoad::nextSource() {
  constexpr std::uint32_t kFirst = 0x7F000101;  // 127.0.1.1
  constexpr std::uint32_t kSources = 250;
  return kFirst + static_cast<std::uint32_t>(opened_ % kSources);
}

void ChurnLoad::open(std::uint32_t index) {
  Slot& slot = slots_[index];
  slot = {};
  slot.startedNs = monotonicNs();
  slot.fd = beginConnect(request_.target.port, nextSource());
  ++openNow_;
  slot.position = ++opened_ * request_.cell.size;
  events_.add(slot.fd, EPOLLIN | EPOLLOUT, index);
  send(slot, index);  // On loopback the connection is there already.
}

void ChurnLoad::send(Slot& slot, std::uint32_t index) {
  slot.sent +=
      sendSome(slot.fd, pattern_.at(slot.position + slot.sent), request_.cell.size - slot.sent);
  if (slot.sent == request_.cell.size) events_.change(slot.fd, EPOLLIN, index);
}

void ChurnLoad::receive(Slot& slot, std::uint32_t index) {
  const std::size_t count = receiveSome(slot.fd, into_);
  requireMatch(pattern_, slot.position + slot.received, slot.received, into_.data(), count);
  checkedBytes_ += count;
  slot.received += count;
  if (slot.received > slot.sent) throw ServerFault("the server sent more bytes than it was sent");
  if (slot.received < request_.cell.size) return;
  ++connections_;
  recordLatency(monotonicNs() - slot.startedNs);
  ::close(slot.fd);
  slot.fd = -1;
  --openNow_;
  if (running_) open(index);
}

}  // namespace penstock::compare
