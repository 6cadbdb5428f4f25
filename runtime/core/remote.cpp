#include <penstock/runtime/reactor.h>
#include <penstock/runtime/remote.h>

namespace penstock {

bool Remote::call(Callback callback) const {
  const std::lock_guard lock(state_->mutex);
  return state_->reactor && state_->reactor->callFromThread(std::move(callback));
}

}  // namespace penstock
