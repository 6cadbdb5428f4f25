// SigpipeBlock: a write to nobody raises no signal, and a signal of somebody else's is not taken.
#include <penstock/tests/support/forked_child.h>
#include <penstock/transports/sigpipe_block.h>

#include <signal.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <functional>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(sigpipe_block_test)

namespace {

// A write that fails with EPIPE, and raises SIGPIPE.
void writeToNobody() {
  std::array<int, 2> ends;
  if (::pipe(ends.data()) < 0) ::_exit(100);
  ::close(ends[0]);
  if (::write(ends[1], "x", 1) >= 0 || errno != EPIPE) ::_exit(101);
  ::close(ends[1]);
}

void blockSigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int pending() {
  sigset_t set;
  ::sigpending(&set);
  return ::sigismember(&set, SIGPIPE);
}

// In a child, which a signal that gets through ends.
std::string endOf(const std::function<int()>& body) { return ForkedChild(body).end(); }

}  // namespace

BOOST_AUTO_TEST_CASE(without_it_a_write_to_nobody_ends_the_process) {
  BOOST_TEST(endOf([] { return writeToNobody(), 0; }).starts_with("signal 13 "));
}

BOOST_AUTO_TEST_CASE(a_write_to_nobody_raises_no_signal_and_leaves_none_behind) {
  BOOST_TEST(endOf([] {
               for (int i = 0; i < 2; ++i) {
                 SigpipeBlock block;
                 writeToNobody();
                 block.raised();
               }
               return pending();
             }) == "exit 0");
}

BOOST_AUTO_TEST_CASE(a_thread_that_has_the_signal_blocked_keeps_it_blocked_with_none_pending) {
  BOOST_TEST(endOf([] {
               blockSigpipe();
               {
                 SigpipeBlock block;
                 writeToNobody();
                 block.raised();
               }
               const int left = pending();
               writeToNobody();  // Ends the process unless the signal is still blocked.
               return left;
             }) == "exit 0");
}

BOOST_AUTO_TEST_CASE(a_signal_that_was_pending_before_stays_pending) {
  BOOST_TEST(endOf([] {
               blockSigpipe();
               writeToNobody();
               {
                 SigpipeBlock block;
                 writeToNobody();
                 block.raised();
               }
               return pending() ? 0 : 1;
             }) == "exit 0");
}

BOOST_AUTO_TEST_CASE(the_disposition_of_the_process_stays_what_it_is) {
  BOOST_TEST(endOf([] {
               ::signal(SIGPIPE, SIG_IGN);
               {
                 SigpipeBlock block;
                 writeToNobody();
                 block.raised();
               }
               return ::signal(SIGPIPE, SIG_DFL) == SIG_IGN ? 0 : 1;
             }) == "exit 0");
}

BOOST_AUTO_TEST_SUITE_END()
