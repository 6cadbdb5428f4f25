#include <penstock/runtime/core/connection_group.h>
#include <penstock/runtime/core/listener_base.h>

#include <cstring>

namespace penstock {

void ConnectionGroup::learnHost(const SocketAddress& ofOne) noexcept {
  sharesHost_ = ofOne.length() == boundTo_.length() &&
                std::memcmp(ofOne.data(), boundTo_.data(), boundTo_.length()) == 0;
}

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
