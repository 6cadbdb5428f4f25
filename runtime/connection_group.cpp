#include <penstock/runtime/connection_group.h>
#include <penstock/runtime/listener_base.h>

namespace penstock {

void ConnectionGroup::connectionOver() {
  --size_;
  if (listener_) listener_->connectionOver();
  endIfLeft();
}

void ConnectionGroup::listenerGone() noexcept {
  listener_ = nullptr;
  endIfLeft();
}

void ConnectionGroup::endIfLeft() noexcept {
  if (!listener_ && size_ == 0) delete this;
}

}  // namespace penstock
