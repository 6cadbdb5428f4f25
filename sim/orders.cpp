#include <penstock/sim/orders.h>

namespace penstock::sim {

void Orders::place(Call kind, const Order& order, std::size_t times) {
  pending_[static_cast<std::size_t>(kind)] = {order, times};
}

std::optional<Order> Orders::take(Call kind) noexcept {
  Pending& pending = pending_[static_cast<std::size_t>(kind)];
  if (pending.times == 0) return std::nullopt;
  --pending.times;
  return pending.order;
}

}  // namespace penstock::sim
