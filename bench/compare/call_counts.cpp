#include <penstock/bench/compare/call_counts.h>
#include <penstock/runtime/backends.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/system/system_calls.h>
#ifdef PENSTOCK_WITH_URING
#include <penstock/runtime/uring/ring_calls.h>
#endif

#include <nlohmann/json.hpp>

#include <cerrno>
#include <csignal>
#include <exception>
#include <unordered_map>
#include <utility>

namespace penstock::compare {
namespace {

CallCounts counts;

// The handler only copies: what it interrupts may be counting.
CallCounts atOpening;
CallCounts atClosing;
volatile std::sig_atomic_t marksSeen = 0;

void markWindow(int) {
  if (marksSeen < 2) (marksSeen == 0 ? atOpening : atClosing) = counts;
  marksSeen = marksSeen + 1;
}

std::size_t sizeOf(const iovec* parts, std::size_t count) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += parts[i].iov_len;
  return size;
}

void countWrite(std::size_t offered, std::int64_t taken) {
  ++counts.writes;
  if (taken < 0 ? taken == -EAGAIN : static_cast<std::size_t>(taken) < offered) {
    ++counts.shortWrites;
  }
}

class CountingSocketCalls final : public SocketCalls {
 public:
  ssize_t sendmsg(int fd, std::span<const iovec> from, int flags) noexcept override {
    const ssize_t taken = SocketCalls::sendmsg(fd, from, flags);
    countWrite(sizeOf(from.data(), from.size()), taken);
    return taken;
  }
};

class CountingPollCalls final : public PollCalls {
 public:
  int epollWait(int epoll, std::span<epoll_event> events,
                std::optional<Duration> timeout) noexcept override {
    const int count = PollCalls::epollWait(epoll, events, timeout);
    ++counts.waits;
    if (count > 0) counts.events += static_cast<std::uint64_t>(count);
    return count;
  }
};

#ifdef PENSTOCK_WITH_URING

// Reads the two queues before and after the kernel does, and leaves them as they are.
class CountingRingCalls final : public uring::RingCalls {
 public:
  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override {
    seen_ = 0;
    return RingCalls::setup(entries, ring, params);
  }

  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override {
    noteWrites(ring);
    const int result = RingCalls::enter(ring, submit, waitFor, flags, timeout);
    if (flags & IORING_ENTER_GETEVENTS) ++counts.waits;
    const bool overflown = (IO_URING_READ_ONCE(*ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
    if (overflown || result == -EBUSY) ++counts.queueOverflows;
    countCompletions(ring);
    return result;
  }

 private:
  void noteWrites(const io_uring& ring) {
    const io_uring_sq& queue = ring.sq;
    for (unsigned at = *queue.khead; at != queue.sqe_tail; ++at) {
      const io_uring_sqe& entry = queue.sqes[at & queue.ring_mask];
      if (entry.opcode == IORING_OP_SEND) offered_[entry.user_data] = entry.len;
      if (entry.opcode != IORING_OP_SENDMSG) continue;
      const auto& message = *reinterpret_cast<const msghdr*>(entry.addr);
      offered_[entry.user_data] = sizeOf(message.msg_iov, message.msg_iovlen);
    }
  }

  void countCompletions(const io_uring& ring) {
    const io_uring_cq& queue = ring.cq;
    const unsigned tail = io_uring_smp_load_acquire(queue.ktail);
    for (; seen_ != tail; ++seen_) {
      const io_uring_cqe& completion = queue.cqes[seen_ & queue.ring_mask];
      ++counts.events;
      if (completion.res == -ENOBUFS) ++counts.buffersExhausted;
      const auto write = offered_.find(completion.user_data);
      if (write == offered_.end()) continue;
      countWrite(write->second, completion.res);
      offered_.erase(write);
    }
  }

  std::unordered_map<std::uint64_t, std::size_t> offered_;  // By request, those in flight.
  unsigned seen_ = 0;                                       // Completions, as the queue counts.
};

// Keeps what the first ring was made with.
class SetupWitness final : public uring::RingCalls {
 public:
  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override {
    const int result = RingCalls::setup(entries, ring, params);
    if (result >= 0) params_ = params;
    return result;
  }
  const std::optional<io_uring_params>& params() const { return params_; }

 private:
  std::optional<io_uring_params> params_;
};

nlohmann::json flagNames(unsigned flags) {
  constexpr std::pair<unsigned, const char*> kNames[] = {
      {IORING_SETUP_SQPOLL, "SQPOLL"},
      {IORING_SETUP_CQSIZE, "CQSIZE"},
      {IORING_SETUP_CLAMP, "CLAMP"},
      {IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"},
      {IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"},
      {IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG"},
      {IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"},
      {IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
  };
  auto names = nlohmann::json::array();
  for (const auto& [bit, name] : kNames) {
    if (flags & bit) names.push_back(name);
  }
  return names;
}

void makeRing() noexcept {
  try {
    Reactor::create({.backend = Backend::kUring});
  } catch (const std::exception&) {
    return;  // No ring here: then there is nothing to describe.
  }
}

#endif

}  // namespace

void startCountingCalls() {
  std::signal(SIGUSR1, markWindow);
  static CountingSocketCalls socketCalls;
  static CountingPollCalls pollCalls;
  replaceSystemCalls({.socket = &socketCalls, .poll = &pollCalls});
#ifdef PENSTOCK_WITH_URING
  static CountingRingCalls ringCalls;
  uring::replaceRingCalls(&ringCalls);
#endif
}

CallCounts callCounts() {
  if (marksSeen < 2) return {};
  CallCounts between = atClosing;
  between.waits -= atOpening.waits;
  between.events -= atOpening.events;
  between.writes -= atOpening.writes;
  between.shortWrites -= atOpening.shortWrites;
  between.buffersExhausted -= atOpening.buffersExhausted;
  between.queueOverflows -= atOpening.queueOverflows;
  return between;
}

nlohmann::json toJson(const CallCounts& from) {
  return {{"waits", from.waits},
          {"events", from.events},
          {"writes", from.writes},
          {"short_writes", from.shortWrites},
          {"buffers_exhausted", from.buffersExhausted},
          {"queue_overflows", from.queueOverflows}};
}

CallCounts callCountsFromJson(const nlohmann::json& json) {
  CallCounts into;
  json.at("waits").get_to(into.waits);
  json.at("events").get_to(into.events);
  json.at("writes").get_to(into.writes);
  json.at("short_writes").get_to(into.shortWrites);
  json.at("buffers_exhausted").get_to(into.buffersExhausted);
  json.at("queue_overflows").get_to(into.queueOverflows);
  return into;
}

nlohmann::json describeRing() {
#ifdef PENSTOCK_WITH_URING
  SetupWitness witness;
  uring::RingCalls* const before = uring::replaceRingCalls(&witness);
  makeRing();
  uring::replaceRingCalls(before);
  if (const auto& params = witness.params()) {
    return {{"submission_entries", params->sq_entries},
            {"completion_entries", params->cq_entries},
            {"setup_flags", flagNames(params->flags)},
            {"feature_bits", params->features}};
  }
#endif
  return nullptr;
}

}  // namespace penstock::compare
