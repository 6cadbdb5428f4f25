// The producer/consumer machine alone: no loop, no kernel, every byte taken at once.
#include <penstock/bench/micro/allocations.h>
#include <penstock/runtime/core/consumer_mixin.h>
#include <penstock/runtime/parts/buffer_pool.h>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

namespace penstock::micro {
namespace {

// A transport whose kernel takes everything that it is offered.
class EagerTransport final : public ConsumerMixin {
 public:
  explicit EagerTransport(BufferPool& pool) : ConsumerMixin(pool) { setConnected(); }

  void flush() { benchmark::DoNotOptimize(wrote(bufferedBytes())); }

  int descriptor() const noexcept override { return -1; }
  Reactor& reactor() const noexcept override { std::abort(); }
  TransportHandle handle() override { return {}; }
  std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) override {
    return next;
  }

 private:
  void startReading() override {}
  void stopReading() override {}
  void startWriting() override {}
  void startAborting() override {}
  void connectionLost(std::error_code) override {}
};

class CountingProducer final : public Producer {
 public:
  void pauseProducing() override { ++pauses_; }
  void resumeProducing() override { ++resumes_; }
  void stopProducing() override {}
  int pauses() const { return pauses_; }
  int resumes() const { return resumes_; }

 private:
  int pauses_ = 0;
  int resumes_ = 0;
};

void writeAndFlush(benchmark::State& state) {
  BufferPool pool;
  EagerTransport transport(pool);
  const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  transport.write(Bytes(message));
  transport.flush();

  const Allocations allocations;
  for (auto _ : state) {
    transport.write(Bytes(message));
    transport.flush();
  }
  allocations.reportNone(state);
}

// Over the high-water mark with each write, and drained with each flush.
void pauseAndResume(benchmark::State& state) {
  BufferPool pool;
  EagerTransport transport(pool);
  CountingProducer producer;
  transport.registerProducer(producer, Production::kStreaming);
  transport.setHighWaterMark(1000);
  const std::vector<std::byte> message(1024);
  transport.write(Bytes(message));
  transport.flush();

  const Allocations allocations;
  for (auto _ : state) {
    transport.write(Bytes(message));
    transport.flush();
  }
  allocations.reportNone(state);
  if (producer.pauses() != producer.resumes() || producer.pauses() == 0) {
    state.SkipWithError("the producer was not paused and resumed in turn");
  }
  transport.unregisterProducer();
}

void writeSequence(benchmark::State& state) {
  BufferPool pool;
  EagerTransport transport(pool);
  const std::vector<std::byte> message(64);
  const std::array<Bytes, 4> parts{message, message, message, message};
  transport.writeSequence(parts);
  transport.flush();

  const Allocations allocations;
  for (auto _ : state) {
    transport.writeSequence(parts);
    transport.flush();
  }
  allocations.reportNone(state);
}

BENCHMARK(writeAndFlush)->Name("state_machine/write_and_flush")->Arg(64)->Arg(1024);
BENCHMARK(pauseAndResume)->Name("state_machine/pause_and_resume");
BENCHMARK(writeSequence)->Name("state_machine/write_sequence_of_4");

}  // namespace
}  // namespace penstock::micro
