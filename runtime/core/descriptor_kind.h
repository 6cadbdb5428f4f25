// DescriptorKind: what depends on what kind of thing a descriptor is.
#pragma once

#include <penstock/runtime/export.h>

namespace penstock {

// How a connection ends what goes over its descriptor. One object for each kind; it keeps nothing.
class DescriptorKind {
 public:
  // Nothing more will be written: the peer sees the end of its input. A failure shows in the next
  // operation.
  virtual void endWriting(int fd) const noexcept = 0;

  // Ends both directions, whoever else holds a copy of the descriptor: the peer sees the end, or if
  // `reset`, and there is such a thing, a reset. Before it is closed.
  virtual void end(int fd, bool reset) const noexcept = 0;

  // The error that the kernel keeps for `fd`, which this takes away; 0: none.
  virtual int takeError(int fd) const noexcept = 0;

 protected:
  ~DescriptorKind() = default;
};

// Of sockets (socket(7)).
PENSTOCK_API const DescriptorKind& socketKind() noexcept;

}  // namespace penstock
