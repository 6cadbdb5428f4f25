// StringTransport collects, remembers, and is strict. After Twisted's StringTransportTests.
#include <penstock/tests/support/printing.h>
#include <penstock/tests/support/scripted_producer.h>
#include <penstock/transports/address.h>
#include <penstock/transports/string_transport.h>

#include <boost/test/unit_test.hpp>

#include <array>
#include <stdexcept>
#include <string>

using namespace penstock;
using namespace penstock::testing;

using State = StringTransport::ProducerState;

BOOST_AUTO_TEST_SUITE(string_transport_test)

BOOST_AUTO_TEST_CASE(what_is_written_is_collected_until_cleared) {
  StringTransport transport;

  transport.write(asBytes("a"));
  transport.write(Buffer(std::string("b")));
  const std::array parts{asBytes("c"), asBytes("d")};
  transport.writeSequence(parts);

  BOOST_TEST(transport.value() == "abcd");
  BOOST_TEST(transport.bufferedBytes() == 4);
  transport.clear();
  BOOST_TEST(transport.value().empty());
}

BOOST_AUTO_TEST_CASE(a_registered_producer_is_remembered_and_not_called) {
  StringTransport transport;
  ScriptedProducer producer;

  transport.registerProducer(producer, Production::kStreaming);
  transport.write(asBytes(std::string(1 << 20, 'x')));

  BOOST_TEST(transport.producer() == &producer);
  BOOST_TEST(transport.streamingProducer());
  BOOST_TEST(producer.events.empty());
}

BOOST_AUTO_TEST_CASE(a_pull_producer_is_not_asked) {
  StringTransport transport;
  ScriptedProducer producer;

  transport.registerProducer(producer, Production::kPull);

  BOOST_TEST(!transport.streamingProducer());
  BOOST_TEST(producer.events.empty());
}

BOOST_AUTO_TEST_CASE(a_second_producer_is_refused_and_the_first_stays) {
  StringTransport transport;
  ScriptedProducer first, second;
  transport.registerProducer(first, Production::kStreaming);

  BOOST_CHECK_THROW(transport.registerProducer(second, Production::kPull), std::logic_error);

  BOOST_TEST(transport.producer() == &first);
  BOOST_TEST(transport.streamingProducer());
}

BOOST_AUTO_TEST_CASE(after_unregistering_another_producer_may_come) {
  StringTransport transport;
  ScriptedProducer first, second;
  transport.registerProducer(first, Production::kStreaming);

  transport.unregisterProducer();
  BOOST_TEST(transport.producer() == nullptr);
  transport.registerProducer(second, Production::kPull);

  BOOST_TEST(transport.producer() == &second);
}

BOOST_AUTO_TEST_CASE(unregistering_when_none_is_registered_is_an_error) {
  StringTransport transport;

  BOOST_CHECK_THROW(transport.unregisterProducer(), std::logic_error);
}

BOOST_AUTO_TEST_CASE(its_own_producing_is_paused_and_resumed) {
  StringTransport transport;
  BOOST_TEST(transport.producerState() == State::kProducing);

  transport.pauseProducing();
  BOOST_TEST(transport.producerState() == State::kPaused);
  transport.resumeProducing();
  BOOST_TEST(transport.producerState() == State::kProducing);
}

BOOST_AUTO_TEST_CASE(once_stopped_it_can_be_neither_paused_nor_resumed_nor_stopped) {
  StringTransport transport;

  transport.stopProducing();

  BOOST_TEST(transport.producerState() == State::kStopped);
  BOOST_CHECK_THROW(transport.pauseProducing(), std::logic_error);
  BOOST_CHECK_THROW(transport.resumeProducing(), std::logic_error);
  BOOST_CHECK_THROW(transport.stopProducing(), std::logic_error);
  BOOST_TEST(transport.producerState() == State::kStopped);
}

BOOST_AUTO_TEST_CASE(while_closing_it_can_be_neither_paused_nor_resumed_nor_stopped) {
  StringTransport transport;

  transport.loseConnection();

  BOOST_TEST(transport.disconnecting());
  BOOST_CHECK_THROW(transport.pauseProducing(), std::logic_error);
  BOOST_CHECK_THROW(transport.resumeProducing(), std::logic_error);
  BOOST_CHECK_THROW(transport.stopProducing(), std::logic_error);
  BOOST_TEST(transport.producerState() == State::kProducing);
}

BOOST_AUTO_TEST_CASE(aborting_is_told_apart_from_closing) {
  StringTransport closed, aborted;

  closed.loseConnection();
  aborted.abortConnection();

  BOOST_TEST(!closed.aborting());
  BOOST_TEST(aborted.aborting());
  BOOST_TEST(aborted.disconnecting());
}

BOOST_AUTO_TEST_CASE(half_closing_is_remembered) {
  StringTransport transport;

  transport.loseWriteConnection();

  BOOST_TEST(transport.writeDisconnecting());
  BOOST_TEST(!transport.disconnecting());
}

BOOST_AUTO_TEST_CASE(it_has_no_address) {
  const StringTransport transport;

  BOOST_CHECK_THROW(getHost(transport), std::logic_error);
  BOOST_CHECK_THROW(getPeer(transport), std::logic_error);
}

BOOST_AUTO_TEST_SUITE_END()
