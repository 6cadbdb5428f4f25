#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/runtime/system/pipe_pool.h>

#include <algorithm>
#include <utility>

namespace penstock {

PipePool::PipePool(Reactor& reactor) : spare_(reactor, [this] { closeSpare(); }) {}

int PipePool::take(Pipe& pipe) {
  if (!pipes_.empty()) {
    pipe = std::move(pipes_.back());
    pipes_.pop_back();
    unused_ = std::min(unused_, pipes_.size());
    return 0;
  }
  int ends[2];
  if (const int failed = pipeCalls().pipe(ends); failed < 0) return failed;
  pipe = {OwnedFd(ends[0]), OwnedFd(ends[1])};
  return 0;
}

void PipePool::give(Pipe pipe) {
  if (pipes_.size() == kKept) return drop(std::move(pipe));
  pipes_.push_back(std::move(pipe));
  if (spare_.active()) return;
  unused_ = pipes_.size() - 1;
  spare_.arm(kKeptFor);
}

void PipePool::drop(Pipe pipe) noexcept {
  if (pipe.large) --large_;
}

// A refusal leaves the size that the kernel has chosen; this pipe is not asked for again.
void PipePool::enlarge(Pipe& pipe) noexcept {
  if (pipe.large || large_ == kMostLarge) return;
  pipe.large = true;
  ++large_;
  pipeCalls().setPipeSize(pipe.writeEnd.get(), kLargePipe);
}

// Those at the bottom were not used: the newest is always taken first.
void PipePool::closeSpare() {
  const auto end = pipes_.begin() + static_cast<std::ptrdiff_t>(unused_);
  std::for_each(pipes_.begin(), end, [this](Pipe& pipe) { drop(std::move(pipe)); });
  pipes_.erase(pipes_.begin(), end);
  unused_ = pipes_.size();
  if (!pipes_.empty()) spare_.arm(kKeptFor);
}

}  // namespace penstock
