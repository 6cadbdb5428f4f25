// LoopObject: a reactor object that has work to do in turns of the loop.
#pragma once

#include <penstock/runtime/core/reactor_object.h>
#include <penstock/runtime/parts/intrusive_list.h>

namespace penstock {

struct InWriters;
struct InDeferred;

// What the lists of a turn hold: a connection, and whatever else flushes at its end or goes on in
// the next.
class LoopObject : public ReactorObject, public ListNode<InWriters>, public ListNode<InDeferred> {
 public:
  // Once a turn while this is in the list of writers; see ReactorBase::writeSoon().
  virtual void flush() {}

  // In the turn after ReactorBase::deferToNextTurn().
  virtual void runDeferred() {}

  // Runs `work` of this object outside of callbacks. An exception, as for memory that is short,
  // costs this object, not the loop.
  template <class Work>
  void guard(Work work) noexcept {
    try {
      work();
    } catch (...) {
      workFailed();
    }
  }

 protected:
  // In a catch block: logs what was thrown, and ends this.
  virtual void workFailed() noexcept = 0;
};

}  // namespace penstock
