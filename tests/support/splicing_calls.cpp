#include <penstock/runtime/system/system_calls.h>
#include <penstock/tests/support/splicing_calls.h>

#include <sys/stat.h>

#include <cerrno>

namespace penstock::testing {
namespace {

bool isPipe(int fd) noexcept {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

}  // namespace

int SplicingCalls::pipe(int (&fds)[2]) noexcept {
  ++splicing.calls;
  return splicing.pipe < 0 ? splicing.pipe : below_->pipe(fds);
}

int SplicingCalls::setPipeSize(int pipe, int size) noexcept {
  ++splicing.enlarged;
  return splicing.enlarge < 0 ? splicing.enlarge : below_->setPipeSize(pipe, size);
}

ssize_t SplicingCalls::splice(int from, int to, std::size_t most) noexcept {
  ++splicing.calls;
  const bool fills = isPipe(to);
  if (const int failed = fills ? splicing.fill : splicing.drain; failed < 0) return failed;
  const ssize_t moved = below_->splice(from, to, most);
  if (moved == -EINTR) --splicing.calls;  // It is made again.
  if (fills && moved > 0) splicing.filled += static_cast<std::uint64_t>(moved);
  return moved;
}

void SplicingCalls::putInPlace() {
  if (&pipeCalls() == this) return;
  below_ = &pipeCalls();
  SystemCalls calls = replaceSystemCalls({});
  calls.pipe = this;
  replaceSystemCalls(calls);
}

Splicing& splicing() {
  static SplicingCalls calls;
  calls.putInPlace();
  calls.splicing = {};
  return calls.splicing;
}

}  // namespace penstock::testing
