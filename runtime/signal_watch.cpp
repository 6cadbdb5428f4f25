#include <penstock/runtime/signal_watch.h>

#include <atomic>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

std::atomic<SignalWatch*> watching{nullptr};
std::atomic<bool> interrupted{false};
std::atomic<bool> terminated{false};

}  // namespace

SignalWatch::SignalWatch(Callback wake, UniqueFunction<void(int)> callback)
    : wake_(std::move(wake)), callback_(std::move(callback)) {
  SignalWatch* none = nullptr;
  if (!watching.compare_exchange_strong(none, this)) {
    throw std::logic_error("stopOnSignals: another reactor of this process watches the signals");
  }
  struct sigaction action {};
  action.sa_handler = &SignalWatch::handle;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &oldInterrupt_);
  sigaction(SIGTERM, &action, &oldTerminate_);
}

SignalWatch::~SignalWatch() {
  sigaction(SIGINT, &oldInterrupt_, nullptr);
  sigaction(SIGTERM, &oldTerminate_, nullptr);
  watching.store(nullptr);
}

void SignalWatch::handle(int signal) noexcept {
  (signal == SIGINT ? interrupted : terminated).store(true);
  if (SignalWatch* watch = watching.load()) watch->wake_();
}

void SignalWatch::deliver() {
  if (interrupted.exchange(false)) callback_(SIGINT);
  if (terminated.exchange(false)) callback_(SIGTERM);
}

}  // namespace penstock
