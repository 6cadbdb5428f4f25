// ReactorObject: something open that a reactor owns: a stream, a listener, a connect.
#pragma once

#include <penstock/runtime/parts/intrusive_list.h>

namespace penstock {

class Connection;
class ConnectionGroup;
struct InReactor;

// Lost is not freed: an object that has ended is handed to Reactor::retire() and deleted at the
// end of the turn in which the kernel has no operation of it in flight any more.
class ReactorObject : public ListNode<InReactor> {
 public:
  virtual ~ReactorObject() = default;

  // The reactor is going away: end now, telling the user.
  virtual void disconnectFromReactor() noexcept = 0;

  // This, if it is a connection of `group`.
  virtual Connection* connectionOf(const ConnectionGroup&) noexcept { return nullptr; }

  // Whether the kernel may still use memory of this object. Asked once it is retired.
  virtual bool inUseByKernel() const noexcept = 0;
};

}  // namespace penstock
