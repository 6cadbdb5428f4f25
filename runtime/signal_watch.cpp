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
    : wake_(std::move(wake)), callback_(std::make_shared<Callee>(std::move(callback))) {
  SignalWatch* none = nullptr;
  if (!watching.compare_exchange_strong(none, this)) {
    throw std::logic_error("stopOnSignals: another reactor of this process watches the signals");
  }
  interrupted.store(false);  // Nobody is left who was meant.
  terminated.store(false);
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

void SignalWatch::callInstead(UniqueFunction<void(int)> callback) {
  callback_ = std::make_shared<Callee>(std::move(callback));
}

void SignalWatch::deliver() {
  if (interrupted.exchange(false)) deliver(SIGINT);
  if (terminated.exchange(false)) deliver(SIGTERM);
}

void SignalWatch::deliver(int signal) {
  const std::shared_ptr<Callee> callback = callback_;  // It may be replaced meanwhile.
  (*callback)(signal);
}

}  // namespace penstock
