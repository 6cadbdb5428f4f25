// Operation: what a completion's user_data points at.
#pragma once

#include <cassert>
#include <cstdint>

namespace penstock::uring {

// Lives inside the object it serves, and that object must outlive it: the kernel may use the
// object's buffers until the last completion. Neither copied nor moved.
class Operation {
 public:
  using Complete = void (*)(Operation& operation, int result, std::uint32_t flags);

  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  bool inFlight() const noexcept { return inFlight_; }

 protected:
  explicit Operation(Complete complete) noexcept : complete_(complete) {}
  ~Operation() { assert(!inFlight_); }

 private:
  friend class Reactor;

  Complete complete_;
  bool inFlight_ = false;  // Submitted, or about to be; false again at the last completion.
};

// An operation that an object derives from, once for each `Tag`: it finds its object without a
// pointer, which counts where there are many objects. `complete` casts back.
template <class Tag>
class OperationNode : public Operation {
 protected:
  using Operation::Operation;
};

// An operation that is a member; its completions call `Method` of the object that embeds it.
template <class Owner, void (Owner::*Method)(int result, std::uint32_t flags)>
class OperationOf final : public Operation {
 public:
  explicit OperationOf(Owner& owner) noexcept : Operation(&complete), owner_(owner) {}

 private:
  static void complete(Operation& operation, int result, std::uint32_t flags) {
    (static_cast<OperationOf&>(operation).owner_.*Method)(result, flags);
  }

  Owner& owner_;
};

}  // namespace penstock::uring
