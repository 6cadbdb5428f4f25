// What a request costs on io_uring before and after the kernel, and receive buffers.
#include <penstock/bench/micro/allocations.h>
#include <penstock/runtime/uring/buffer_ring.h>
#include <penstock/runtime/uring/operation.h>
#include <penstock/runtime/uring/probe.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/ring_calls.h>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <optional>

namespace penstock::micro {
namespace {

// False: the benchmark is skipped, with the reason.
bool usable(benchmark::State& state) {
  static const uring::Usability usability = uring::probeUsability();
  if (!usability.usable) state.SkipWithError(usability.why.c_str());
  return usability.usable;
}

// Entries prepared, the kernel entered once, completions taken: the floor of a turn.
void throughRing(benchmark::State& state) {
  if (!usable(state)) return;
  uring::Ring ring(uring::ringCalls(), uring::ringCalls().features());
  const auto batch = static_cast<unsigned>(state.range(0));
  const auto turn = [&] {
    for (unsigned i = 0; i < batch; ++i) {
      io_uring_sqe& entry = ring.nextEntry();
      io_uring_prep_nop(&entry);
      entry.user_data = 1;
    }
    ring.enter(batch, std::nullopt);
    std::uint64_t sum = 0;
    ring.reap(batch, [&](const io_uring_cqe& completion) { sum += completion.user_data; });
    return sum;
  };
  if (turn() != batch) return state.SkipWithError("requests did not complete");

  const Allocations allocations;
  for (auto _ : state) benchmark::DoNotOptimize(turn());
  allocations.reportNone(state);
  state.SetItemsProcessed(state.iterations() * batch);
}

class Requests {
 public:
  explicit Requests(uring::Reactor& reactor, std::int64_t count) : reactor_(reactor) {
    for (std::int64_t i = 0; i < count; ++i) requests_.push_back(std::make_unique<One>(*this));
  }

  void turn() {
    for (auto& one : requests_) {
      reactor_.submit(one->operation, [](io_uring_sqe& entry) { io_uring_prep_nop(&entry); });
    }
    waiting_ = requests_.size();
    while (waiting_ > 0) reactor_.iterate(std::chrono::seconds(1));
  }

 private:
  struct One {
    explicit One(Requests& owner) : owner(owner) {}
    void completed(int, std::uint32_t) { --owner.waiting_; }
    Requests& owner;
    uring::OperationOf<One, &One::completed> operation{*this};
  };

  uring::Reactor& reactor_;
  std::size_t waiting_ = 0;
  std::vector<std::unique_ptr<One>> requests_;
};

// The same as operations of a reactor, each with a callback, and a whole turn round them.
void throughReactor(benchmark::State& state) {
  if (!usable(state)) return;
  uring::Reactor reactor{ReactorOptions()};
  Requests requests(reactor, state.range(0));
  requests.turn();

  const Allocations allocations;
  for (auto _ : state) requests.turn();
  allocations.reportNone(state);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// What happens to a buffer in user space: named by a completion, used, given back. The kernel is
// not asked to fill it: `flags` stand for its completions, which name the buffers in their order.
void takeAndRelease(benchmark::State& state) {
  constexpr std::uint16_t kCount = 64;
  constexpr std::uint32_t kSize = 16384;
  if (!usable(state)) return;
  uring::Ring ring(uring::ringCalls(), uring::ringCalls().features());
  const auto buffers = uring::BufferRing::create(ring, 1, kCount, kSize);
  if (!buffers) return state.SkipWithError("this kernel has no buffer rings");
  std::uint32_t next = 0;

  const Allocations allocations;
  for (auto _ : state) {
    Block& block = buffers->filled(IORING_CQE_F_BUFFER | (next << IORING_CQE_BUFFER_SHIFT));
    benchmark::DoNotOptimize(block.data);
    block.release();
    next = (next + 1) % kCount;
  }
  allocations.reportNone(state);
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(throughRing)->Name("submission/ring")->Arg(1)->Arg(32)->Arg(256);
BENCHMARK(throughReactor)->Name("submission/reactor")->Arg(1)->Arg(32)->Arg(256);
BENCHMARK(takeAndRelease)->Name("buffer_ring/take_and_release");

}  // namespace
}  // namespace penstock::micro
