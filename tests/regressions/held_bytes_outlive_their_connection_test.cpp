// Bytes that came while reading was paused are held and delivered after the resume. When the
// protocol lost its connection from that dataReceived(), they were freed in the middle of it.
#include <boost/test/unit_test.hpp>

#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/sim/kernel.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace penstock {

BOOST_AUTO_TEST_SUITE(held_bytes_outlive_their_connection_test)

namespace {

using namespace std::chrono_literals;

struct Outcome {
  Transport* transport = nullptr;
  std::string received;
  bool lost = false;
};

// Ends its connection with `end` as soon as bytes come, and looks at them afterwards.
class Ender final : public Protocol {
 public:
  using End = std::function<void(Transport&)>;

  Ender(Outcome& outcome, End end) : outcome_(outcome), end_(std::move(end)) {}

  void connectionMade(Transport& transport) override { outcome_.transport = &transport; }

  void dataReceived(Bytes bytes) override {
    const auto note = [&] {
      outcome_.received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    try {
      end_(*outcome_.transport);
    } catch (...) {
      note();
      throw;
    }
    note();
  }

  bool isHalfCloseable() const noexcept override { return true; }
  void connectionLost(std::error_code) override { outcome_.lost = true; }

 private:
  Outcome& outcome_;
  End end_;
};

Outcome endedBy(const Ender::End& end, const std::function<void(Transport&)>& before) {
  sim::Kernel kernel(1, sim::Faults::none());
  Outcome outcome;
  ReactorOptions options;
  options.log = [](std::string_view) {};
  uring::Reactor reactor(std::move(options));
  auto [near, far] = kernel.pair(0, AF_INET);
  reactor.openStream(std::move(near), std::make_unique<Ender>(outcome, end), {});
  before(*outcome.transport);
  reactor.iterate(1ms);  // A read is in flight now, which the pause leaves to complete.
  outcome.transport->pauseProducing();
  const iovec run{const_cast<char*>("held"), 4};
  socketCalls().sendmsg(far.get(), {&run, 1}, MSG_NOSIGNAL);
  reactor.iterate(1ms);
  BOOST_TEST(outcome.received.empty());
  outcome.transport->resumeProducing();
  for (int turns = 0; turns < 10; ++turns) reactor.iterate(1ms);
  return outcome;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_exception_while_held_bytes_are_delivered_loses_only_the_connection) {
  const Outcome outcome = endedBy([](Transport&) { throw std::runtime_error("no"); },  //
                                  [](Transport&) {});

  BOOST_TEST(outcome.lost);
  BOOST_TEST(outcome.received == "held");
}

BOOST_AUTO_TEST_CASE(held_bytes_can_be_read_after_the_connection_was_lost) {
  const Outcome outcome = endedBy([](Transport& transport) { transport.loseConnection(); },
                                  [](Transport& transport) { transport.loseWriteConnection(); });

  BOOST_TEST(outcome.lost);
  BOOST_TEST(outcome.received == "held");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace penstock
