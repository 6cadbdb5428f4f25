// The producer/consumer machine alone, for tests: no kernel, no loop, no socket.
#pragma once

#include <penstock/runtime/core/consumer_mixin.h>
#include <penstock/runtime/parts/buffer_pool.h>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace penstock::testing {

inline constexpr std::size_t kMark = Transport::kHighWaterMark;

using Calls = std::vector<std::string>;

inline std::vector<std::byte> bytes(std::size_t count) { return std::vector<std::byte>(count); }

// The machine alone: what a family would have to do is written down instead.
class Machine final : public ConsumerMixin {
 public:
  using ConsumerMixin::aborting;
  using ConsumerMixin::AfterWrite;
  using ConsumerMixin::setConnected;
  using ConsumerMixin::wrote;

  explicit Machine(BufferPool& pool) : ConsumerMixin(pool) {}

  Calls takeCalls() { return std::exchange(calls_, {}); }
  void note(std::string call) { calls_.push_back(std::move(call)); }

  void connectionLost(std::error_code why) override {
    note(why ? "connectionLost" : "connectionLost cleanly");
    if (Producer* producer = setDisconnected()) producer->stopProducing();
  }

  int descriptor() const noexcept override { return -1; }
  Reactor& reactor() const noexcept override { std::terminate(); }
  TransportHandle handle() override { return {}; }
  std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) override {
    return next;
  }

  // Stands for what else a transport may count, such as descriptors that wait to be passed.
  bool alsoFull = false;

 private:
  bool isSendBufferFull() const noexcept override {
    return alsoFull || ConsumerMixin::isSendBufferFull();
  }
  void startReading() override { note("startReading"); }
  void stopReading() override { note("stopReading"); }
  void startWriting() override { note("startWriting"); }
  void startAborting() override { note("startAborting"); }

  Calls calls_;
};

// Notes its calls at the machine, so that their order is seen, and does what a test hooks in.
class NotingProducer final : public Producer {
 public:
  explicit NotingProducer(Machine& machine) : machine_(machine) {}

  std::function<void()> onPause = [] {};
  std::function<void()> onResume = [] {};

  void pauseProducing() override {
    machine_.note("pause");
    onPause();
  }
  void resumeProducing() override {
    machine_.note("resume");
    onResume();
  }
  void stopProducing() override { machine_.note("stop"); }

 private:
  Machine& machine_;
};

// A connected machine with a producer that is not registered yet.
struct Connected {
  Connected() { machine.setConnected(); }

  void write(std::size_t count) { machine.write(Bytes(bytes(count))); }
  Machine::AfterWrite drain() { return machine.wrote(machine.bufferedBytes()); }
  void registerStreaming() { machine.registerProducer(producer, Production::kStreaming); }
  void registerPull() { machine.registerProducer(producer, Production::kPull); }

  // Those since the last check.
  void checkCalls(const Calls& expected) {
    const Calls calls = machine.takeCalls();
    BOOST_TEST(calls == expected, boost::test_tools::per_element());
  }

  BufferPool pool;
  Machine machine{pool};
  NotingProducer producer{machine};
};

using AfterWrite = Machine::AfterWrite;

inline void check(AfterWrite found, AfterWrite expected) {
  BOOST_TEST(static_cast<int>(found) == static_cast<int>(expected));
}

}  // namespace penstock::testing
