// TimerQueue: what is due fires in the order of its deadlines, and only then.
#include <penstock/runtime/parts/timer_queue.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/printing.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

using namespace penstock;
using penstock::testing::testSeed;

BOOST_AUTO_TEST_SUITE(timer_queue_test)

namespace {

constexpr TimePoint at(std::int64_t nanoseconds) { return TimePoint(Duration(nanoseconds)); }

using Numbers = std::vector<int>;

// Writes its number down when it fires, then does what it is told.
class Entry : public TimerEntry {
 public:
  Entry(Numbers& fired, int number) : TimerEntry(&Entry::fire), fired_(fired), number_(number) {}

  std::function<void(Entry& self)> then = {};

 private:
  static void fire(TimerEntry& entry) {
    auto& self = static_cast<Entry&>(entry);
    self.fired_.push_back(self.number_);
    if (self.then) self.then(self);
  }

  Numbers& fired_;
  int number_;
};

struct QueueFixture {
  Numbers fired;
  TimerQueue queue;
  Entry one{fired, 1}, two{fired, 2}, three{fired, 3};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_timer_queue, QueueFixture)

BOOST_AUTO_TEST_CASE(fires_in_the_order_of_the_deadlines) {
  queue.arm(two, at(20));
  queue.arm(three, at(30));
  queue.arm(one, at(10));

  queue.fireDue(at(30));

  BOOST_TEST(fired == (Numbers{1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(queue.size() == 0u);
}

BOOST_AUTO_TEST_CASE(fires_equal_deadlines_in_the_order_of_arming) {
  queue.arm(three, at(10));
  queue.arm(one, at(10));
  queue.arm(two, at(10));

  queue.fireDue(at(10));

  BOOST_TEST(fired == (Numbers{3, 1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(fires_nothing_early) {
  queue.arm(one, at(10));

  queue.fireDue(at(9));
  BOOST_TEST(fired.empty());
  queue.fireDue(at(10));

  BOOST_TEST(fired.size() == 1u);
}

BOOST_AUTO_TEST_CASE(knows_the_next_deadline) {
  BOOST_TEST(!queue.nextDeadline().has_value());
  queue.arm(one, at(20));
  queue.arm(two, at(10));

  BOOST_TEST(queue.nextDeadline() == at(10));
  queue.cancel(two);
  BOOST_TEST(queue.nextDeadline() == at(20));
  queue.cancel(one);

  BOOST_TEST(!queue.nextDeadline().has_value());
}

BOOST_AUTO_TEST_CASE(fires_each_timer_once) {
  queue.arm(one, at(10));

  queue.fireDue(at(10));
  queue.fireDue(at(20));

  BOOST_TEST(fired.size() == 1u);
  BOOST_TEST(!one.active());
}

BOOST_AUTO_TEST_CASE(does_not_fire_what_was_cancelled) {
  queue.arm(one, at(10));
  queue.arm(two, at(10));

  queue.cancel(one);
  queue.cancel(one);
  queue.fireDue(at(10));

  BOOST_TEST(fired == Numbers{2}, boost::test_tools::per_element());
  BOOST_TEST(!one.active());
}

BOOST_AUTO_TEST_CASE(moves_a_timer_that_is_armed_again) {
  queue.arm(one, at(10));
  queue.arm(two, at(20));
  queue.arm(one, at(30));

  queue.fireDue(at(20));
  BOOST_TEST(fired == Numbers{2}, boost::test_tools::per_element());
  queue.fireDue(at(30));

  BOOST_TEST(fired == (Numbers{2, 1}), boost::test_tools::per_element());
  BOOST_TEST(queue.size() == 0u);
}

BOOST_AUTO_TEST_CASE(puts_a_timer_that_is_armed_again_behind_its_equals) {
  queue.arm(one, at(10));
  queue.arm(two, at(10));
  queue.arm(one, at(10));

  queue.fireDue(at(10));

  BOOST_TEST(fired == (Numbers{2, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tells_a_timer_its_deadline) {
  queue.arm(one, at(10));

  BOOST_TEST(one.active());
  BOOST_TEST(one.deadline() == at(10));
}

BOOST_AUTO_TEST_CASE(leaves_what_is_armed_while_firing_to_the_next_time) {
  one.then = [&](Entry& self) { queue.arm(self, at(5)); };
  queue.arm(one, at(10));
  queue.arm(two, at(20));

  queue.fireDue(at(20));
  queue.fireDue(at(20));

  BOOST_TEST(fired == (Numbers{1, 2, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(does_not_fire_what_a_fired_timer_cancels) {
  one.then = [&](Entry&) { queue.cancel(two); };
  queue.arm(one, at(10));
  queue.arm(two, at(10));
  queue.arm(three, at(10));

  queue.fireDue(at(10));

  BOOST_TEST(fired == (Numbers{1, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(lets_a_timer_be_destroyed_when_it_fires) {
  auto doomed = std::make_unique<Entry>(fired, 4);
  doomed->then = [&](Entry&) { doomed.reset(); };
  queue.arm(*doomed, at(5));
  queue.arm(one, at(10));

  queue.fireDue(at(10));

  BOOST_TEST(fired == (Numbers{4, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(forgets_a_timer_that_is_destroyed) {
  {
    Entry doomed(fired, 4);
    queue.arm(doomed, at(5));
  }
  queue.arm(one, at(10));

  queue.fireDue(at(10));

  BOOST_TEST(fired == Numbers{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_timer_outlives_its_queue_and_may_join_another) {
  Numbers fired;
  Entry one(fired, 1);
  {
    TimerQueue doomed;
    doomed.arm(one, at(10));
  }
  BOOST_TEST(!one.active());

  TimerQueue queue;
  queue.arm(one, at(20));
  queue.fireDue(at(20));

  BOOST_TEST(fired == Numbers{1}, boost::test_tools::per_element());
}

namespace {

// The same done to a sorted map: its keys are deadline and order of arming.
class AgainstModel {
 public:
  explicit AgainstModel(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < kTimers; ++i) {
      entries_.push_back(std::make_unique<Entry>(fired_, i));
      entries_.back()->then = [this, i](Entry&) { armAgain(i); };
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      const int number = static_cast<int>(random_() % kTimers);
      switch (random_() % 8) {
        default:
          arm(number, now_ + static_cast<std::int64_t>(random_() % 2000) - 100);
          break;
        case 0:
        case 1:
          cancel(number);
          break;
        case 2:
          fire(static_cast<std::int64_t>(random_() % 80));
          break;
      }
      BOOST_REQUIRE(agrees());
    }
  }

 private:
  static constexpr int kTimers = 3000;
  using Key = std::pair<std::int64_t, std::uint64_t>;

  void arm(int number, std::int64_t deadline) {
    queue_.arm(*entries_[static_cast<std::size_t>(number)], at(deadline));
    forget(number);
    const Key key(firing_ ? std::max(deadline, now_) : deadline, order_++);
    model_[key] = number;
    keys_[number] = key;
  }

  void cancel(int number) {
    queue_.cancel(*entries_[static_cast<std::size_t>(number)]);
    forget(number);
  }

  void forget(int number) {
    const auto found = keys_.find(number);
    if (found == keys_.end()) return;
    model_.erase(found->second);
    keys_.erase(found);
  }

  void fire(std::int64_t later) {
    now_ += later;
    Numbers expected;
    while (!model_.empty() && model_.begin()->first.first <= now_) {
      expected.push_back(model_.begin()->second);
      forget(expected.back());
    }
    fired_.clear();
    firing_ = true;
    queue_.fireDue(at(now_));
    firing_ = false;
    BOOST_TEST_REQUIRE(fired_ == expected);
  }

  // Some of the fired come again, a few of those with a deadline that has passed already.
  void armAgain(int number) {
    if (number % 50 == 0) arm(number, now_ + number % 500 / 10 - 10);
  }

  bool agrees() const {
    const auto next = queue_.nextDeadline();
    if (queue_.size() != model_.size()) return false;
    return model_.empty() ? !next : next == at(model_.begin()->first.first);
  }

  std::mt19937_64 random_;
  Numbers fired_;
  std::vector<std::unique_ptr<Entry>> entries_;
  TimerQueue queue_;
  std::map<Key, int> model_;
  std::map<int, Key> keys_;
  std::int64_t now_ = 0;
  std::uint64_t order_ = 0;
  bool firing_ = false;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_timer_queue_does_what_a_sorted_map_does_in_100_000_random_steps) {
  AgainstModel(testSeed()).run(100'000);
}

BOOST_AUTO_TEST_SUITE_END()
