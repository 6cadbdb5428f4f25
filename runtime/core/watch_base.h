// WatchBase: what the watches of both families share, which is all but waiting itself.
#pragma once

#include <penstock/runtime/core/loop_object.h>
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/watch.h>

#include <system_error>

namespace penstock {

// Calls the handler, never again once it is over. A handler that throws is logged and ends its
// watch: what stays ready would call it in every turn.
class WatchBase : public Watch, public LoopObject {
 public:
  void change(Interest interest) final;
  void stop() final;
  void disconnectFromReactor() noexcept final;

 protected:
  WatchBase(ReactorBase& reactor, int fd, Interest interest, WatchHandler handler);

  // --- What a family does ------------------------------------------------------------------------

  // Waits for interest() from now on, as long as there is any.
  void runDeferred() override = 0;

  // Waits for nothing any more. The descriptor may be closed afterwards.
  virtual void release() noexcept = 0;

  // Has runDeferred() called in the next turn: what it meets is told to the handler, never from
  // inside a call.
  void update() noexcept;

  // --- What a family tells -----------------------------------------------------------------------

  // What is ready of what was asked for; with `broken`, all of it.
  void ready(bool readable, bool writable, bool broken) noexcept;

  // The kernel does not wait for it.
  void failed(std::error_code why) noexcept;

  int descriptor() const noexcept { return fd_; }
  Interest interest() const noexcept { return interest_; }
  bool wantsAny() const noexcept { return !over_ && (interest_.readable || interest_.writable); }
  bool over() const noexcept { return over_; }

 private:
  void workFailed() noexcept final;
  void call(const Ready& ready) noexcept;
  void end() noexcept;

  ReactorBase& reactor_;
  WatchHandler handler_;
  const int fd_;
  Interest interest_;
  bool over_ = false;
};

}  // namespace penstock
