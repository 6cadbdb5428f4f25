#include <penstock/runtime/core/watch_base.h>
#include <penstock/runtime/errors.h>

#include <utility>

namespace penstock {

WatchBase::WatchBase(ReactorBase& reactor, int fd, Interest interest, WatchHandler handler)
    : reactor_(reactor), handler_(std::move(handler)), fd_(fd), interest_(interest) {
  reactor.adopt(*this);
  update();
}

void WatchBase::update() noexcept {
  if (!ListNode<InDeferred>::linked()) reactor_.deferToNextTurn(*this);
}

void WatchBase::change(Interest interest) {
  reactor_.requireThread();
  if (over_) return;
  interest_ = interest;
  update();
}

void WatchBase::stop() {
  reactor_.requireThread();
  end();
}

void WatchBase::disconnectFromReactor() noexcept { failed(ConnectionError::kLost); }

void WatchBase::ready(bool readable, bool writable, bool broken) noexcept {
  const Ready found{interest_.readable && (readable || broken),
                    interest_.writable && (writable || broken)};
  if (!over_ && (found.readable || found.writable)) call(found);
}

void WatchBase::failed(std::error_code why) noexcept {
  if (over_) return;
  end();
  call({.lost = why});
}

// The handler stays in place while it runs: what it has captured must outlive its own stop().
void WatchBase::call(const Ready& ready) noexcept {
  const ReactorBase::CallOut callOut(reactor_);
  try {
    handler_(ready);
  } catch (...) {
    reactor_.logException("a watch handler");
    end();
  }
}

void WatchBase::workFailed() noexcept {
  reactor_.logException("the work of a watch");
  failed(std::make_error_code(std::errc::not_enough_memory));
}

void WatchBase::end() noexcept {
  if (std::exchange(over_, true) || reactor_.inForkedChild()) return;
  release();
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();
  reactor_.retire(*this);
}

}  // namespace penstock
