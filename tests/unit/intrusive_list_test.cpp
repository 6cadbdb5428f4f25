// IntrusiveList: elements keep their order, leave at any time, and take themselves out.
#include <penstock/runtime/parts/intrusive_list.h>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <vector>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(intrusive_list_test)

namespace {

struct InFirst;
struct InSecond;

struct Element : ListNode<InFirst>, ListNode<InSecond> {
  explicit Element(int number) : number(number) {}
  bool inFirst() const { return ListNode<InFirst>::linked(); }
  bool inSecond() const { return ListNode<InSecond>::linked(); }
  void leaveFirst() { ListNode<InFirst>::unlink(); }

  int number;
};

using First = IntrusiveList<Element, InFirst>;
using Second = IntrusiveList<Element, InSecond>;
using Numbers = std::vector<int>;

template <class List>
Numbers drained(List& list) {
  Numbers numbers;
  while (!list.empty()) numbers.push_back(list.popFront().number);
  return numbers;
}

struct ListFixture {
  Element one{1}, two{2}, three{3};
  First list;

  void fill() {
    list.pushBack(one);
    list.pushBack(two);
    list.pushBack(three);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(an_intrusive_list, ListFixture)

BOOST_AUTO_TEST_CASE(is_empty_at_first_and_its_elements_are_in_none) {
  BOOST_TEST(list.empty());
  BOOST_TEST(!one.inFirst());
}

BOOST_AUTO_TEST_CASE(gives_its_elements_in_the_order_of_adding) {
  fill();

  BOOST_TEST(list.front().number == 1);
  BOOST_TEST(one.inFirst());
  BOOST_TEST(drained(list) == (Numbers{1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(!one.inFirst());
}

BOOST_AUTO_TEST_CASE(lets_an_element_leave_from_anywhere) {
  fill();

  two.leaveFirst();
  two.leaveFirst();

  BOOST_TEST(!two.inFirst());
  BOOST_TEST(drained(list) == (Numbers{1, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(takes_an_element_again_that_has_left) {
  fill();
  one.leaveFirst();

  list.pushBack(one);

  BOOST_TEST(drained(list) == (Numbers{2, 3, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(loses_an_element_that_dies) {
  list.pushBack(one);
  auto doomed = std::make_unique<Element>(9);
  list.pushBack(*doomed);
  list.pushBack(two);

  doomed.reset();

  BOOST_TEST(drained(list) == (Numbers{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(lets_its_elements_go_when_it_dies) {
  {
    First doomed;
    doomed.pushBack(one);
    doomed.pushBack(two);
  }
  BOOST_TEST(!one.inFirst());

  list.pushBack(two);

  BOOST_TEST(drained(list) == Numbers{2}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(is_apart_from_another_list_of_the_same_elements) {
  Second other;
  fill();
  other.pushBack(three);
  other.pushBack(one);

  one.leaveFirst();

  BOOST_TEST(one.inSecond());
  BOOST_TEST(drained(list) == (Numbers{2, 3}), boost::test_tools::per_element());
  BOOST_TEST(drained(other) == (Numbers{3, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(moves_all_of_another_to_its_end) {
  First other;
  list.pushBack(three);
  other.pushBack(one);
  other.pushBack(two);

  list.append(other);

  BOOST_TEST(other.empty());
  BOOST_TEST(drained(list) == (Numbers{3, 1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(moves_all_of_another_when_empty_itself_and_nothing_of_an_empty_one) {
  First other;
  fill();

  list.append(other);
  other.append(list);

  BOOST_TEST(list.empty());
  BOOST_TEST(drained(other) == (Numbers{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(may_lose_others_while_it_is_drained) {
  fill();
  Numbers seen;

  while (!list.empty()) {
    Element& element = list.popFront();
    seen.push_back(element.number);
    if (element.number == 1) two.leaveFirst();
    if (element.number == 3 && seen.size() == 2) list.pushBack(two);
  }

  BOOST_TEST(seen == (Numbers{1, 3, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
