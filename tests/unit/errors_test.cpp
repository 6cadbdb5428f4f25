// Errors: each has words of its own, and can be told apart from the system's.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/printing.h>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(errors_test)

namespace {

constexpr ConnectionError kAll[] = {
    ConnectionError::kLost,
    ConnectionError::kAborted,
    ConnectionError::kProtocolFailed,
    ConnectionError::kTimedOut,
    ConnectionError::kStopped,
    ConnectionError::kUnresolved,
    ConnectionError::kUnresolvedForNow,
    ConnectionError::kResolverFailed,
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_connection_error_is_an_error_and_says_what_it_means) {
  std::set<std::string> messages;
  for (const std::error_code error : kAll) {
    BOOST_TEST(static_cast<bool>(error));
    messages.insert(error.message());
  }

  BOOST_TEST(messages.size() == std::size(kAll));
  for (const std::string& message : messages) {
    BOOST_TEST(message.find("unknown") == std::string::npos, message);
  }
}

BOOST_AUTO_TEST_CASE(a_connection_error_is_equal_to_itself_only) {
  const std::error_code lost = ConnectionError::kLost;

  BOOST_TEST(lost == ConnectionError::kLost);
  BOOST_TEST(lost != ConnectionError::kAborted);
  BOOST_TEST(lost != std::error_code(lost.value(), std::system_category()));
  BOOST_TEST(lost != std::error_code());
}

BOOST_AUTO_TEST_CASE(connection_errors_have_a_category_with_our_name) {
  BOOST_TEST(std::string(connectionCategory().name()) == "penstock");
  BOOST_TEST(make_error_code(ConnectionError::kStopped).category() == connectionCategory());
}

BOOST_AUTO_TEST_CASE(a_number_that_means_nothing_says_so_and_which_it_was) {
  const std::error_code error(1234, connectionCategory());

  BOOST_TEST(error.message().find("1234") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_negative_result_of_a_system_call_is_the_error_of_its_errno) {
  const std::error_code error = errorOf(-ECONNRESET);

  BOOST_TEST(error == std::errc::connection_reset);
  BOOST_TEST(error.value() == ECONNRESET);
  BOOST_TEST(error.category() == std::system_category());
  BOOST_TEST(!errorOf(0));
}

BOOST_AUTO_TEST_CASE(what_is_thrown_for_an_errno_names_the_call_and_the_reason) {
  try {
    throwErrno(-EADDRINUSE, "bind 127.0.0.1:80");
    BOOST_ERROR("nothing was thrown");
  } catch (const std::system_error& error) {
    const std::string text = error.what();
    BOOST_TEST(error.code() == std::errc::address_in_use);
    BOOST_TEST(text.find("bind 127.0.0.1:80") != std::string::npos, text);
    BOOST_TEST(text.find(error.code().message()) != std::string::npos, text);
  }
}

BOOST_AUTO_TEST_CASE(an_exception_becomes_the_error_that_it_carries) {
  const auto errorOfThrown = [](auto thrown) {
    try {
      throw thrown;
    } catch (...) {
      return errorOfException(ConnectionError::kLost);
    }
  };

  BOOST_TEST((errorOfThrown(std::system_error(errorOf(-EMFILE), "open")) == errorOf(-EMFILE)));
  BOOST_TEST((errorOfThrown(std::bad_alloc()) == std::errc::not_enough_memory));
  BOOST_TEST((errorOfThrown(std::runtime_error("broken")) == ConnectionError::kLost));
  BOOST_TEST((errorOfThrown(7) == ConnectionError::kLost));
}

BOOST_AUTO_TEST_SUITE_END()
