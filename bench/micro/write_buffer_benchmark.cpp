// A message on its way out: queued, gathered for the kernel, forgotten.
#include <penstock/bench/micro/allocations.h>
#include <penstock/runtime/parts/buffer_pool.h>
#include <penstock/runtime/parts/write_buffer.h>

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <vector>

namespace penstock::micro {
namespace {

void sendAll(WriteBuffer& buffer) {
  std::array<iovec, 16> runs;
  while (!buffer.empty()) {
    const std::size_t used = buffer.gather(runs, 1 << 20);
    std::size_t count = 0;
    for (std::size_t i = 0; i < used; ++i) count += runs[i].iov_len;
    buffer.consume(count);
  }
}

// Runs `fill` and sends what it queued, once to warm up and then measured.
template <class Fill>
void measure(benchmark::State& state, WriteBuffer& buffer, Fill fill, std::size_t bytes) {
  fill();
  sendAll(buffer);
  const Allocations allocations;
  for (auto _ : state) {
    fill();
    sendAll(buffer);
  }
  allocations.reportNone(state);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void copied(benchmark::State& state) {
  BufferPool pool;
  WriteBuffer buffer(pool);
  const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  measure(
      state, buffer, [&] { buffer.append(Bytes(message)); }, message.size());
}

void copiedPieces(benchmark::State& state) {
  constexpr int kPieces = 32;
  BufferPool pool;
  WriteBuffer buffer(pool);
  const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  const auto fill = [&] {
    for (int i = 0; i < kPieces; ++i) buffer.append(Bytes(message));
  };
  measure(state, buffer, fill, kPieces * message.size());
}

void handedOver(benchmark::State& state) {
  BufferPool pool;
  WriteBuffer buffer(pool);
  const Buffer message(std::vector<std::byte>(static_cast<std::size_t>(state.range(0))));
  measure(
      state, buffer, [&] { buffer.append(message); }, message.size());
}

void lent(benchmark::State& state) {
  BufferPool pool;
  BlockPool blocks(static_cast<std::uint32_t>(state.range(0)), 4);
  WriteBuffer buffer(pool);
  const auto fill = [&] {
    Block& block = blocks.take();
    const Bytes bytes(block.data, block.capacity);
    {
      const BufferPool::Lending lending(pool, block, bytes);
      buffer.append(bytes);
    }
    block.release();
  };
  measure(state, buffer, fill, static_cast<std::size_t>(state.range(0)));
}

BENCHMARK(copied)->Name("write_buffer/copied")->Arg(64)->Arg(1024)->Arg(16384)->Arg(65536);
BENCHMARK(copiedPieces)->Name("write_buffer/32_pieces")->Arg(64)->Arg(1024);
BENCHMARK(handedOver)->Name("write_buffer/handed_over")->Arg(64)->Arg(65536);
BENCHMARK(lent)->Name("write_buffer/lent")->Arg(16384)->Arg(65536);

}  // namespace
}  // namespace penstock::micro
