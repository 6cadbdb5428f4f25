// ForkGate: forks happen while no look-up of the system's is in one of its short locks.
#pragma once

namespace penstock {

// getaddrinfo(3) takes locks inside the C library. A child that was forked while another thread
// held one finds it held for ever, and can never look a name up. So a fork waits for the look-ups
// that run, and they for it; but not long, for one that lasts waits for the network and holds none.
class ForkGate {
 public:
  // A look-up runs while this lives.
  ForkGate() noexcept;
  ~ForkGate();
  ForkGate(const ForkGate&) = delete;
  ForkGate& operator=(const ForkGate&) = delete;
};

}  // namespace penstock
