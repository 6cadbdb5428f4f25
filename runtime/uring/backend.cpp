#include <penstock/runtime/uring/backend.h>
#include <penstock/runtime/uring/probe.h>
#include <penstock/runtime/uring/probe_operations.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/ring_calls.h>

#include <system_error>
#include <utility>

namespace penstock::uring {
namespace {

class InWaiting final : public ReactorInWaiting {
 public:
  explicit InWaiting(std::unique_ptr<Ring> ring) noexcept : ring_(std::move(ring)) {}
  std::unique_ptr<penstock::Reactor> make(ReactorOptions options) && override {
    return std::make_unique<Reactor>(std::move(options), std::move(ring_));
  }

 private:
  std::unique_ptr<Ring> ring_;
};

BackendOpening refused(Usability found) {
  return {nullptr, std::move(found.why), std::move(found.remedy)};
}

// What works in general, then the very ring that a reactor would have: locked memory may be short.
BackendOpening open(const ReactorOptions& options) {
  Usability found = probeUsability();
  if (!found.usable) return refused(std::move(found));
  try {
    auto reactor = std::make_unique<InWaiting>(Reactor::openRing(options));
    return {std::move(reactor), std::move(found.why), {}};
  } catch (const std::system_error& refusal) {
    return refused(explainRefusal(-refusal.code().value()));
  }
}

struct Described {
  Feature feature;
  const char* name;
  const char* use;
  const char* without;
};

constexpr Described kFeatures[] = {
    {kDeferTaskrun, "IORING_SETUP_DEFER_TASKRUN", "completions that run only when the loop asks",
     "Linux 6.1 has it; without it the kernel interrupts the loop"},
    {kWaitTimeout, "IORING_ENTER_EXT_ARG", "the timer deadline in the one kernel entry",
     "Linux 5.11 has it; without it a timeout is submitted each turn"},
    {kBufferRing, "IORING_REGISTER_PBUF_RING", "receive buffers that connections share",
     "Linux 5.19 has it; without it a receive takes two operations"},
    {kMultishotReceive, "IORING_RECV_MULTISHOT", "one submission for many receives",
     "Linux 6.0 has it; without it each receive is submitted"},
    {kZeroCopySend, "IORING_OP_SEND_ZC", "sends without a copy, where they are asked for",
     "Linux 6.2 has it; without it every send copies"},
};

void addCapabilities(std::vector<Capability>& list) {
  const Usability ring = probeUsability();
  list.push_back({"io_uring", ring.usable, "the io_uring backend", ring.remedy});
  if (ring.usable) {
    for (const OperationProbe& operation : probeOperations()) {
      list.push_back({operation.name, operation.works, operation.use,
                      "a newer kernel has it, or a filter stands in the way"});
    }
  }
  const std::uint32_t found = ringCalls().features();
  for (const Described& each : kFeatures) {
    list.push_back({each.name, (found & each.feature) != 0, each.use, each.without});
  }
}

}  // namespace

constinit const BackendRow kBackendRow{Backend::kUring, true, "uring", &open, &addCapabilities};

}  // namespace penstock::uring
