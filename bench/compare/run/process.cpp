#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/run/process.h>
#include <penstock/runtime/errors.h>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace penstock::compare {
namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interruptedFlag = 0;

struct Pipe {
  OwnedFd in;
  OwnedFd out;
};

Pipe makePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throwErrno(-errno, "pipe2");
  return {OwnedFd(ends[1]), OwnedFd(ends[0])};
}

void allowManyDescriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Runs in the child, between fork and exec.
void prepareChild(const Process::Options& options, int output, int errors) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(output, STDOUT_FILENO);
  if (options.keepErrors) ::dup2(errors, STDERR_FILENO);
  for (const int fd : options.inherited) ::fcntl(fd, F_SETFD, 0);
  if (options.core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(*options.core, &cores);
    ::sched_setaffinity(0, sizeof cores, &cores);
  }
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  allowManyDescriptors();
}

std::string endingOf(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return "signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ')';
  }
  const int code = WEXITSTATUS(status);
  return code == 0 ? std::string() : "exit status " + std::to_string(code);
}

int millisecondsUntil(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

}  // namespace

bool interrupted() noexcept { return interruptedFlag != 0; }

void makeInterruptible() {
  struct sigaction action {};
  action.sa_handler = [](int) { interruptedFlag = 1; };  // No SA_RESTART: waits are to end.
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

Process::Process(const std::vector<std::string>& command, const Options& options) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  Pipe output = makePipe();
  errors_.reset(::memfd_create("errors", MFD_CLOEXEC));  // Never full, unlike a pipe.
  Pipe failure = makePipe();  // Closed by a successful exec; otherwise errno comes through it.
  pid_ = ::fork();
  if (pid_ < 0) throwErrno(-errno, "fork");
  if (pid_ == 0) {
    prepareChild(options, output.in.get(), errors_.get());
    ::execv(arguments[0], arguments.data());
    const int why = errno;
    [[maybe_unused]] const auto told = ::write(failure.in.get(), &why, sizeof why);
    ::_exit(127);
  }
  failure.in.reset();
  int why = 0;
  if (::read(failure.out.get(), &why, sizeof why) == sizeof why) {
    ::waitpid(pid_, nullptr, 0);
    throwErrno(-why, "starting " + command.front().substr(command.front().rfind('/') + 1));
  }
  output_ = std::move(output.out);
}

Process::~Process() {
  signal(SIGKILL);
  if (!status_) ::waitpid(pid_, nullptr, 0);
}

std::optional<std::string> Process::readLine(std::chrono::milliseconds limit, bool patient) {
  const auto end = Clock::now() + limit;
  for (;;) {
    if (const auto lineFeed = pending_.find('\n'); lineFeed != pending_.npos) {
      const std::string line = pending_.substr(0, lineFeed);
      pending_.erase(0, lineFeed + 1);
      return line;
    }
    pollfd entry{output_.get(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, millisecondsUntil(end));
    if (ready == 0 || (interrupted() && !patient)) return std::nullopt;
    if (ready < 0 && errno == EINTR) continue;
    char part[65536];
    const ssize_t count = ready < 0 ? -1 : ::read(output_.get(), part, sizeof part);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    pending_.append(part, static_cast<std::size_t>(count));
  }
}

std::string Process::errorLine() {
  constexpr std::size_t kLongest = 160;
  char part[4096];
  const ssize_t count = ::pread(errors_.get(), part, sizeof part, 0);
  const std::string text(part, count > 0 ? static_cast<std::size_t>(count) : 0);
  return withoutPaths(text.substr(0, std::min(text.find('\n'), kLongest)));
}

bool Process::ended() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_.has_value();
}

void Process::signal(int signal) noexcept {
  if (!status_) ::kill(pid_, signal);
}

std::string Process::wait(std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!ended() && Clock::now() < end) ::poll(nullptr, 0, 2);
  if (!ended()) {
    signal(SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    status_ = status;
    return "killed, because it did not end by itself";
  }
  return endingOf(*status_);
}

}  // namespace penstock::compare
