// IdleLoad: many connections, of which a few are active; what the others cost in memory.
#pragma once

#include <penstock/bench/compare/load/echo_load.h>

namespace penstock::compare {

// Sets idle_bytes, used_bytes and kernel_bytes, each per connection.
class IdleLoad final : public EchoLoad {
 public:
  using EchoLoad::EchoLoad;

  void connect() override;
  void finish() override;

 private:
  static constexpr std::size_t kActive = 10;

  double perConnection(std::int64_t bytes);

  std::int64_t residentBefore_ = 0;
};

}  // namespace penstock::compare
