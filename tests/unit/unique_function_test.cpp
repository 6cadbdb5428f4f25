// UniqueFunction: holds one callable, moves with it, destroys it once.
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/tests/support/printing.h>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(unique_function_test)

namespace {

// Counts its copies on the heap and the objects alive.
struct Counted {
  static inline int alive = 0;
  static inline int allocated = 0;

  Counted() { ++alive; }
  Counted(const Counted&) { ++alive; }
  Counted(Counted&&) noexcept { ++alive; }
  ~Counted() { --alive; }

  static void* operator new(std::size_t size) {
    ++allocated;
    return ::operator new(size);
  }
  static void* operator new(std::size_t, void* at) { return at; }
  static void operator delete(void* memory) { ::operator delete(memory); }
};

template <std::size_t Size>
struct Callable : Counted {
  std::array<std::byte, Size> payload{};
  int operator()() const { return static_cast<int>(Size); }
};

using Small = Callable<16>;
using Large = Callable<200>;

struct ThrowsWhenMoved {
  ThrowsWhenMoved() = default;
  ThrowsWhenMoved(ThrowsWhenMoved&&) noexcept(false) {}
  int operator()() const { return 5; }
};

struct CountFixture {
  CountFixture() { Counted::alive = Counted::allocated = 0; }
  ~CountFixture() { BOOST_TEST(Counted::alive == 0); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_unique_function, CountFixture)

BOOST_AUTO_TEST_CASE(is_empty_unless_given_something) {
  UniqueFunction<void()> nothing;
  UniqueFunction<void()> null = nullptr;
  UniqueFunction<void()> something = [] {};

  BOOST_TEST(!nothing);
  BOOST_TEST(!null);
  BOOST_TEST(static_cast<bool>(something));
}

BOOST_AUTO_TEST_CASE(calls_what_it_holds_with_arguments_and_result) {
  UniqueFunction<std::string(int, const std::string&)> repeat = [](int n, const std::string& text) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };

  BOOST_TEST(repeat(3, "ab") == "ababab");
}

BOOST_AUTO_TEST_CASE(keeps_the_state_of_its_callable_between_calls) {
  UniqueFunction<int()> next = [n = 0]() mutable { return ++n; };

  next();

  BOOST_TEST(next() == 2);
}

BOOST_AUTO_TEST_CASE(takes_what_can_only_be_moved) {
  UniqueFunction<int(std::unique_ptr<int>)> add =
      [mine = std::make_unique<int>(2)](std::unique_ptr<int> theirs) { return *mine + *theirs; };

  BOOST_TEST(add(std::make_unique<int>(3)) == 5);
  BOOST_TEST((!std::is_copy_constructible_v<UniqueFunction<void()>>));
}

BOOST_AUTO_TEST_CASE(passes_references_through) {
  UniqueFunction<void(int&)> increment = [](int& value) { ++value; };
  int value = 1;

  increment(value);

  BOOST_TEST(value == 2);
}

BOOST_AUTO_TEST_CASE(keeps_a_small_callable_in_place) {
  UniqueFunction<int()> function = Small();
  UniqueFunction<int()> moved = std::move(function);

  BOOST_TEST(moved() == 16);
  BOOST_TEST(Counted::allocated == 0);
  BOOST_TEST(Counted::alive == 1);
}

BOOST_AUTO_TEST_CASE(allocates_once_for_a_large_callable_however_often_it_moves) {
  UniqueFunction<int()> function = Large();
  UniqueFunction<int()> moved = std::move(function);
  UniqueFunction<int()> again = std::move(moved);

  BOOST_TEST(again() == 200);
  BOOST_TEST(Counted::allocated == 1);
  BOOST_TEST(Counted::alive == 1);
}

BOOST_AUTO_TEST_CASE(may_hold_what_throws_when_moved_and_moves_without_throwing) {
  UniqueFunction<int()> function{ThrowsWhenMoved()};

  UniqueFunction<int()> moved = std::move(function);

  BOOST_TEST(moved() == 5);
  BOOST_TEST((std::is_nothrow_move_constructible_v<UniqueFunction<int()>>));
}

BOOST_AUTO_TEST_CASE(is_empty_once_moved_from) {
  UniqueFunction<int()> function = Small();

  UniqueFunction<int()> moved = std::move(function);

  BOOST_TEST(!function);
  BOOST_TEST(static_cast<bool>(moved));
}

BOOST_AUTO_TEST_CASE(destroys_what_it_held_when_assigned_to) {
  UniqueFunction<int()> function = Large();

  function = Small();
  BOOST_TEST(function() == 16);
  BOOST_TEST(Counted::alive == 1);
  function = nullptr;

  BOOST_TEST(Counted::alive == 0);
  BOOST_TEST(!function);
}

BOOST_AUTO_TEST_CASE(survives_being_moved_onto_itself) {
  UniqueFunction<int()> function = Small();
  UniqueFunction<int()>& same = function;

  function = std::move(same);

  BOOST_REQUIRE(static_cast<bool>(function));
  BOOST_TEST(function() == 16);
}

BOOST_AUTO_TEST_CASE(copies_a_callable_that_the_caller_keeps) {
  const Small kept;

  UniqueFunction<int()> function = kept;

  BOOST_TEST(function() == 16);
  BOOST_TEST(Counted::alive == 2);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
