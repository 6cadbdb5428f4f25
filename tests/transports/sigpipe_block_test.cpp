// SigpipeBlock: the thread it is used in gets no signal, and keeps what it had.
#include <penstock/transports/sigpipe_block.h>

#include <pthread.h>
#include <signal.h>
#include <boost/test/unit_test.hpp>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(sigpipe_block_test)

namespace {

sigset_t onlySigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

void block(bool blocked) {
  const sigset_t set = onlySigpipe();
  pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
}

bool isBlocked() {
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, SIGPIPE) == 1;
}

bool isPending() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

void takePending() {
  const sigset_t set = onlySigpipe();
  constexpr timespec kNoWait{0, 0};
  while (sigtimedwait(&set, nullptr, &kNoWait) > 0) {
  }
}

// What comes with an EPIPE, as a splice(2) into a socket whose peer has gone raises it.
void raiseSigpipe(SigpipeBlock& noSignal) {
  pthread_kill(pthread_self(), SIGPIPE);
  noSignal.raised();
}

struct Signals {
  Signals() { ::signal(SIGPIPE, SIG_DFL); }
  ~Signals() {
    takePending();
    block(false);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_signal_that_was_raised_is_gone_at_the_end, Signals) {
  {
    SigpipeBlock noSignal;
    raiseSigpipe(noSignal);
    BOOST_TEST(isPending());
  }

  BOOST_TEST(!isPending());
  BOOST_TEST(!isBlocked());
}

BOOST_FIXTURE_TEST_CASE(a_signal_that_was_pending_before_still_is, Signals) {
  block(true);
  pthread_kill(pthread_self(), SIGPIPE);

  {
    SigpipeBlock noSignal;
    raiseSigpipe(noSignal);
  }

  BOOST_TEST(isPending());
  BOOST_TEST(isBlocked());
}

BOOST_FIXTURE_TEST_CASE(a_thread_that_has_it_blocked_keeps_it_blocked_and_gets_none, Signals) {
  block(true);

  {
    SigpipeBlock noSignal;
    raiseSigpipe(noSignal);
  }

  BOOST_TEST(!isPending());
  BOOST_TEST(isBlocked());
}

BOOST_FIXTURE_TEST_CASE(one_that_comes_from_elsewhere_afterwards_is_not_swallowed, Signals) {
  block(true);

  { SigpipeBlock noSignal; }
  pthread_kill(pthread_self(), SIGPIPE);

  BOOST_TEST(isPending());
}

BOOST_AUTO_TEST_SUITE_END()
