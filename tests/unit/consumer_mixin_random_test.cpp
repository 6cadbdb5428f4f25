// Random histories of the machine, against a model of its rules.
#include <penstock/tests/support/printing.h>
#include <penstock/tests/unit/consumer_mixin_machine.h>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <random>
#include <utility>

namespace penstock::testing {
namespace {

BOOST_AUTO_TEST_SUITE(consumer_mixin_random_test)

// The rules of docs/backpressure.md once more, as short as they can be said, for producers that
// only listen. It says which calls a step makes and what is to be done after a write.
struct Model {
  enum Kind { kNone, kPull, kStreaming };

  bool disconnecting = false, disconnected = false;
  bool writeDisconnecting = false, writeDisconnected = false;
  Kind kind = kNone;
  bool paused = false;
  std::size_t buffered = 0;
  Calls calls;

  void write(std::size_t count) {
    if (disconnected || writeDisconnected || count == 0) return;
    buffered += count;
    calls.push_back("startWriting");
    if (kind == kStreaming && !paused && buffered > kMark) {
      paused = true;
      calls.push_back("pause");
    }
  }

  void registerProducer(Kind newKind) {
    if (disconnected) return calls.push_back("stop");
    kind = newKind;
    if (kind == kPull) calls.push_back("resume");
  }

  void unregister() {
    kind = kNone;
    paused = false;
    const bool due = disconnecting || (writeDisconnecting && !writeDisconnected);
    if (due && !disconnected) calls.push_back("startWriting");
  }

  AfterWrite wrote(std::size_t count) {
    buffered -= count;
    if (buffered > 0) return AfterWrite::kWriteMore;
    if (kind == kPull || paused) {
      paused = false;
      calls.push_back("resume");
      return AfterWrite::kIdle;
    }
    if (kind != kNone) return AfterWrite::kIdle;
    if (disconnecting) return AfterWrite::kClose;
    if (!writeDisconnecting || writeDisconnected) return AfterWrite::kIdle;
    writeDisconnected = true;
    return AfterWrite::kHalfClose;
  }

  void close() {
    if (disconnected || disconnecting) return;
    calls.push_back("stopReading");
    if (writeDisconnected) return lose("connectionLost cleanly");
    calls.push_back("startWriting");
    disconnecting = true;
  }

  void halfClose() {
    if (disconnected || writeDisconnected) return;
    writeDisconnecting = true;
    calls.push_back("startWriting");
  }

  void lose(const char* how) {
    calls.push_back(how);
    disconnected = true;
    if (kind != kNone) calls.push_back("stop");
    kind = kNone;
  }
};

// One random history; every step is done to the machine and to the model.
class History {
 public:
  explicit History(unsigned seed) : random_(seed) { machine_.setConnected(); }

  void run(int steps) {
    for (int i = 0; i < steps && !model_.disconnected; ++i) {
      step();
      compare();
    }
  }

 private:
  void step() {
    switch (upTo(9)) {
      case 0:
      case 1:
      case 2:
        return write();
      case 3:
      case 4:
      case 5:
        return send();
      case 6:
        return model_.kind == Model::kNone ? registerOne() : unregister();
      case 7:
        return upTo(3) == 0 ? unregister() : write();
      case 8:
        if (upTo(5) > 0) return send();
        machine_.loseWriteConnection();
        return model_.halfClose();
      default:
        if (upTo(9) > 0) return write();
        machine_.loseConnection();
        return model_.close();
    }
  }

  void write() {
    constexpr std::array<std::size_t, 6> kSizes{0, 1, 1000, kMark - 1, kMark, 100000};
    const std::size_t count = kSizes[upTo(kSizes.size() - 1)];
    machine_.write(Bytes(bytes(count)));
    model_.write(count);
  }

  // As a family would: nothing more is asked for once the answer was acted upon.
  void send() {
    const std::size_t count = upTo(2) == 0 ? upTo(model_.buffered) : model_.buffered;
    const AfterWrite found = machine_.wrote(count);
    const AfterWrite expected = model_.wrote(count);
    check(found, expected);
    if (expected != AfterWrite::kClose) return;
    machine_.connectionLost({});
    model_.lose("connectionLost cleanly");
  }

  void registerOne() {
    const bool streaming = upTo(1) == 0;
    machine_.registerProducer(producer_, streaming ? Production::kStreaming : Production::kPull);
    model_.registerProducer(streaming ? Model::kStreaming : Model::kPull);
  }

  void unregister() {
    machine_.unregisterProducer();
    model_.unregister();
  }

  void compare() {
    BOOST_TEST(machine_.takeCalls() == std::exchange(model_.calls, {}),
               boost::test_tools::per_element());
    BOOST_TEST(machine_.bufferedBytes() == model_.buffered);
    BOOST_TEST(machine_.producerPaused() == model_.paused);
    BOOST_TEST((machine_.producer() != nullptr) == (model_.kind != Model::kNone));
    BOOST_TEST(machine_.disconnecting() == model_.disconnecting);
    BOOST_TEST(machine_.disconnected() == model_.disconnected);
    BOOST_TEST(machine_.writeDisconnecting() == model_.writeDisconnecting);
    BOOST_TEST(machine_.writeDisconnected() == model_.writeDisconnected);
  }

  std::size_t upTo(std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random_);
  }

  std::mt19937 random_;
  BufferPool pool_;
  Machine machine_{pool_};
  NotingProducer producer_{machine_};
  Model model_;
};

BOOST_AUTO_TEST_CASE(random_histories_go_as_the_model_says) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) { History(seed).run(60); }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace penstock::testing
