#include <penstock/runtime/uring/probe_operations.h>
#include <penstock/runtime/uring/trial_ring.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace penstock::uring {
namespace {

constexpr unsigned kTriedFlags =
    IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN;

// Which of kTriedFlags work. One ring says so where all do.
unsigned workingFlags() {
  if (TrialRing(kEssentialSetup | kTriedFlags).error() == 0) return kTriedFlags;
  unsigned working = 0;
  for (const unsigned flag :
       {IORING_SETUP_CLAMP, IORING_SETUP_SUBMIT_ALL, IORING_SETUP_COOP_TASKRUN}) {
    if (TrialRing(flag).error() == 0) working |= flag;
  }
  return working;
}

bool worksNop(TrialRing& trial) {
  return trial.ask([](io_uring_sqe& entry) { io_uring_prep_nop(&entry); }).res == 0;
}

bool worksReceive(TrialRing& trial, std::uint16_t flags) {
  const Pair pair;
  char byte = 'x';
  if (!pair.near || ::send(pair.far.get(), &byte, 1, MSG_NOSIGNAL) != 1) return false;
  return trial
             .ask([&](io_uring_sqe& entry) {
               io_uring_prep_recv(&entry, pair.near.get(), &byte, 1, 0);
               entry.ioprio |= flags;
             })
             .res == 1;
}

bool worksSend(TrialRing& trial) {
  const Pair pair;
  const char byte = 'x';
  return pair.near && trial.ask([&](io_uring_sqe& entry) {
                             io_uring_prep_send(&entry, pair.near.get(), &byte, 1, MSG_NOSIGNAL);
                           }).res == 1;
}

bool worksSendMessage(TrialRing& trial) {
  const Pair pair;
  char byte = 'x';
  iovec run{&byte, 1};
  msghdr message{};
  message.msg_iov = &run;
  message.msg_iovlen = 1;
  return pair.near && trial.ask([&](io_uring_sqe& entry) {
                             io_uring_prep_sendmsg(&entry, pair.near.get(), &message, MSG_NOSIGNAL);
                           }).res == 1;
}

bool worksRead(TrialRing& trial) {
  const OwnedFd event(::eventfd(1, EFD_CLOEXEC));
  std::uint64_t count = 0;
  return event && trial.ask([&](io_uring_sqe& entry) {
                         io_uring_prep_read(&entry, event.get(), &count, sizeof count, 0);
                       }).res == sizeof count;
}

// A listener with an abstract name that the kernel chose, and that name.
struct Listening {
  Listening() : fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    name.sun_family = AF_UNIX;
    works = ::bind(fd.get(), address(), sizeof name.sun_family) == 0 && ::listen(fd.get(), 1) == 0;
    ::getsockname(fd.get(), address(), &length);
  }
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&name); }

  OwnedFd fd;
  sockaddr_un name{};
  socklen_t length = sizeof name;
  bool works = false;
};

bool worksConnect(TrialRing& trial) {
  Listening listening;
  const OwnedFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return listening.works &&
         trial.ask([&](io_uring_sqe& entry) {
                io_uring_prep_connect(&entry, client.get(), listening.address(), listening.length);
              }).res == 0;
}

bool worksAccept(TrialRing& trial) {
  Listening listening;
  const OwnedFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listening.works) return false;
  if (::connect(client.get(), listening.address(), listening.length) < 0) return false;
  const io_uring_cqe answer = trial.ask([&](io_uring_sqe& entry) {
    io_uring_prep_accept(&entry, listening.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
  });
  const OwnedFd accepted(answer.res >= 0 ? answer.res : -1);
  return answer.res >= 0;
}

bool worksPoll(TrialRing& trial) {
  const Pair pair;
  return pair.near && (trial
                           .ask([&](io_uring_sqe& entry) {
                             io_uring_prep_poll_add(&entry, pair.near.get(), POLLOUT);
                           })
                           .res &
                       POLLOUT);
}

bool worksMultishotPoll(TrialRing& trial) {
  const Pair pair;
  if (!pair.near) return false;
  const io_uring_cqe answer = trial.ask(
      [&](io_uring_sqe& entry) { io_uring_prep_poll_multishot(&entry, pair.near.get(), POLLOUT); });
  const bool more = (answer.flags & IORING_CQE_F_MORE) != 0;
  if (more) trial.end(answer.user_data);
  return answer.res > 0 && (answer.res & POLLOUT) && more;
}

bool worksCancel(TrialRing& trial) {
  const Pair pair;
  if (!pair.near) return false;
  char byte;
  const std::uint64_t receive = trial.prepare(
      [&](io_uring_sqe& entry) { io_uring_prep_recv(&entry, pair.near.get(), &byte, 1, 0); });
  trial.prepare([&](io_uring_sqe& entry) { io_uring_prep_cancel64(&entry, receive, 0); });
  io_uring_submit(&trial.ring());
  const int received = trial.next(receive).res;
  return received == -ECANCELED || received == -EINTR;
}

bool worksTimeout(TrialRing& trial) {
  __kernel_timespec soon{0, 1000};
  return trial.ask([&](io_uring_sqe& entry) { io_uring_prep_timeout(&entry, &soon, 1, 0); }).res ==
         -ETIME;
}

bool worksRegisterEvent(TrialRing& trial) {
  const OwnedFd event(::eventfd(0, EFD_CLOEXEC));
  int fd = event.get();
  RingCalls calls;
  return calls.registerWith(trial.ring(), IORING_REGISTER_EVENTFD, &fd, 1) == 0;
}

}  // namespace

std::vector<OperationProbe> probeEssentials(TrialRing& trial) {
  return {
      {"IORING_OP_NOP", "a close with nothing to send", worksNop(trial)},
      {"IORING_OP_RECV", "receiving", worksReceive(trial, 0)},
      {"IORING_OP_SEND", "sending one run of bytes", worksSend(trial)},
      {"IORING_OP_SENDMSG", "sending several runs at once", worksSendMessage(trial)},
      {"IORING_OP_ACCEPT", "accepting", worksAccept(trial)},
      {"IORING_OP_CONNECT", "connecting", worksConnect(trial)},
      {"IORING_OP_READ", "being woken by other threads", worksRead(trial)},
      {"IORING_OP_POLL_ADD", "receiving without buffer rings", worksPoll(trial)},
      {"IORING_OP_ASYNC_CANCEL", "closing and pausing", worksCancel(trial)},
  };
}

std::vector<OperationProbe> probeOperations() {
  const unsigned flags = workingFlags();
  TrialRing trial;
  if (trial.error() != 0) return {};
  std::vector<OperationProbe> list = probeEssentials(trial);
  list.insert(
      list.end(),
      {
          {"IORING_SETUP_CQSIZE", "room for completions", true},  // The trial ring has it.
          {"IORING_SETUP_CLAMP", "a smaller ring rather than none",
           (flags & IORING_SETUP_CLAMP) != 0},
          {"IORING_SETUP_SUBMIT_ALL", "one bad entry does not hold up the rest",
           (flags & IORING_SETUP_SUBMIT_ALL) != 0},
          {"IORING_SETUP_COOP_TASKRUN", "where DEFER_TASKRUN is missing",
           (flags & IORING_SETUP_COOP_TASKRUN) != 0},
          {"IORING_RECVSEND_POLL_FIRST", "receiving where nothing waits yet",
           worksReceive(trial, IORING_RECVSEND_POLL_FIRST)},
          {"IORING_POLL_ADD_MULTI", "relaying inside the kernel", worksMultishotPoll(trial)},
          {"IORING_OP_TIMEOUT", "timers where EXT_ARG is missing", worksTimeout(trial)},
          {"IORING_REGISTER_EVENTFD", "waking a foreign loop", worksRegisterEvent(trial)},
      });
  return list;
}

}  // namespace penstock::uring
