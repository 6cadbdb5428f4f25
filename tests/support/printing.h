// How failed checks print the types that Boost.Test cannot: with BOOST_TEST(a == b), not with
// parentheses of their own around it, both sides are told.
#pragma once

#include <penstock/runtime/errors.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/transports/address.h>

#include <boost/test/test_tools.hpp>

#include <chrono>
#include <concepts>
#include <optional>
#include <ostream>
#include <string>
#include <system_error>
#include <type_traits>

namespace penstock::testing {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

template <class T>
void print(std::ostream& out, const T& value) {
  boost::test_tools::tt_detail::print_log_value<T>()(out, value);
}

}  // namespace penstock::testing

namespace boost::test_tools::tt_detail {

template <class Rep, class Period>
struct print_log_value<std::chrono::duration<Rep, Period>> {
  void operator()(std::ostream& out, const std::chrono::duration<Rep, Period>& value) {
    out << std::to_string(std::chrono::duration<double, std::milli>(value).count()) << " ms";
  }
};

// Since when means nothing: the difference between two of them does.
template <class Clock, class Duration>
struct print_log_value<std::chrono::time_point<Clock, Duration>> {
  void operator()(std::ostream& out, const std::chrono::time_point<Clock, Duration>& value) {
    penstock::testing::print(out, value.time_since_epoch());
  }
};

template <>
struct print_log_value<std::error_code> {
  void operator()(std::ostream& out, const std::error_code& value) {
    if (!value) {
      out << "no error";
    } else {
      out << value.message() << " (" << value << ")";
    }
  }
};

template <>
struct print_log_value<std::error_category> {
  void operator()(std::ostream& out, const std::error_category& value) { out << value.name(); }
};

template <>
struct print_log_value<penstock::OwnedFd> {
  void operator()(std::ostream& out, const penstock::OwnedFd& value) { out << value.get(); }
};

template <>
struct print_log_value<penstock::Address> {
  void operator()(std::ostream& out, const penstock::Address& value) { out << value.text(); }
};

// What stands for an error by its message, the rest by its number.
template <class T>
requires(std::is_enum_v<T> && !penstock::testing::Printable<T>) struct print_log_value<T> {
  void operator()(std::ostream& out, const T& value) {
    if constexpr (std::is_error_code_enum_v<T>) {
      out << make_error_code(value).message();
    } else if constexpr (std::is_error_condition_enum_v<T>) {
      out << make_error_condition(value).message();
    } else {
      out << static_cast<long long>(value);
    }
  }
};

template <class T>
struct print_log_value<std::optional<T>> {
  void operator()(std::ostream& out, const std::optional<T>& value) {
    if (!value) {
      out << "none";
    } else {
      penstock::testing::print(out, *value);
    }
  }
};

}  // namespace boost::test_tools::tt_detail
