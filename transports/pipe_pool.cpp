#include <penstock/runtime/system_calls.h>
#include <penstock/transports/pipe_pool.h>

#include <utility>

namespace penstock {

Pipe PipePool::take() {
  if (!pipes_.empty()) {
    Pipe pipe = std::move(pipes_.back());
    pipes_.pop_back();
    return pipe;
  }
  int ends[2];
  if (systemCalls().pipe(ends, kSplicePipe) < 0) return {};
  return {OwnedFd(ends[0]), OwnedFd(ends[1])};
}

void PipePool::give(Pipe pipe) {
  if (pipes_.size() < kKept) pipes_.push_back(std::move(pipe));
}

PipePool& PipePool::ofThisThread() {
  thread_local PipePool pool;
  return pool;
}

}  // namespace penstock
