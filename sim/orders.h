// Orders: faults that a test has ordered for the next calls of a kind.
#pragma once

#include <penstock/runtime/time.h>
#include <penstock/sim/faults.h>

#include <array>
#include <cstddef>
#include <optional>

namespace penstock::sim {

struct Order {
  enum class What { kFail, kDelay, kCut };
  What what = What::kFail;
  int error = 0;         // Of kFail: positive.
  Duration delay{};      // Of kDelay.
  std::size_t most = 0;  // Of kCut, in bytes.
};

// One for each kind: a new one takes the place of the old.
class Orders {
 public:
  void place(Call kind, const Order& order, std::size_t times);

  bool has(Call kind) const noexcept { return pending_[static_cast<std::size_t>(kind)].times > 0; }

  // The order that this call has to carry out, if there is one.
  std::optional<Order> take(Call kind) noexcept;

 private:
  struct Pending {
    Order order;
    std::size_t times = 0;
  };
  std::array<Pending, 5> pending_;  // By kind.
};

}  // namespace penstock::sim
