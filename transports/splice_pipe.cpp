#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/transports/sigpipe_block.h>
#include <penstock/transports/splice_pipe.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace penstock {
namespace {

ssize_t spliced(int from, int to, std::size_t most) {
  ssize_t moved;
  do {
    moved = pipeCalls().splice(from, to, most);
  } while (moved == -EINTR);
  return moved;
}

}  // namespace

ssize_t SplicePipe::fill(int source, std::size_t most, bool bulk) {
  if (const int failed = pool_.take(pipe_); failed < 0) return failed;
  if (bulk) pool_.enlarge(pipe_);
  const ssize_t got = spliced(source, pipe_.writeEnd.get(), most);
  if (got <= 0) {
    pool_.give(std::move(pipe_));
  } else {
    held_ = static_cast<std::size_t>(got);
  }
  return got;
}

int SplicePipe::drain(int sink) {
  SigpipeBlock noSignal;
  while (held_ > 0) {
    const ssize_t sent = spliced(pipe_.readEnd.get(), sink, held_);
    if (sent == -EPIPE) noSignal.raised();
    if (sent <= 0) return sent < 0 ? static_cast<int>(sent) : -EAGAIN;
    taken(sent);
  }
  return 0;
}

ssize_t SplicePipe::takeOut(MutableBytes into) {
  ssize_t got;
  do {
    got = pipeCalls().read(pipe_.readEnd.get(), into.first(std::min(into.size(), held_)));
  } while (got == -EINTR);
  if (got > 0) taken(got);
  return got;
}

void SplicePipe::clear() noexcept {
  if (std::exchange(held_, 0) > 0) pool_.drop(std::move(pipe_));
}

void SplicePipe::taken(ssize_t count) {
  held_ -= static_cast<std::size_t>(count);
  if (held_ == 0) pool_.give(std::move(pipe_));
}

// A socket reports none of these for its peer or the network.
bool SplicePipe::cannotSplice(ssize_t result) noexcept {
  switch (-result) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EINVAL:
      return true;
    default:
      return forbidden(result);
  }
}

bool SplicePipe::forbidden(ssize_t result) noexcept {
  return result == -EPERM || result == -EACCES || result == -ENOSYS || result == -EOPNOTSUPP;
}

}  // namespace penstock
