// IntrusiveList: a doubly linked list whose links live in its elements.
#pragma once

#include <cassert>
#include <cstddef>

namespace penstock {

// The place of an object in a list. It takes itself out when it dies. Neither copied nor moved.
class ListLink {
 public:
  ListLink() noexcept = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { unlink(); }

  bool linked() const noexcept { return next_ != nullptr; }

  void unlink() noexcept {
    if (!next_) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T, class Tag>
  friend class IntrusiveList;

  ListLink* next_ = nullptr;
  ListLink* previous_ = nullptr;
};

// A link that says which list it is for: an object derives from ListNode<Tag> once per list.
template <class Tag>
class ListNode : public ListLink {};

// Holds T's that derive from ListNode<Tag>. Owns nothing. Everything is O(1) and allocates
// nothing; an element may be unlinked at any time, also while the list is being drained.
template <class T, class Tag>
class IntrusiveList {
 public:
  IntrusiveList() noexcept { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = head_.previous_ = nullptr;
  }

  bool empty() const noexcept { return head_.next_ == &head_; }

  // Counts them: O(n).
  std::size_t size() const noexcept {
    std::size_t count = 0;
    for (const ListLink* link = head_.next_; link != &head_; link = link->next_) ++count;
    return count;
  }

  void pushBack(T& element) noexcept {
    ListLink& link = static_cast<ListNode<Tag>&>(element);
    assert(!link.linked());
    link.previous_ = head_.previous_;
    link.next_ = &head_;
    head_.previous_->next_ = &link;
    head_.previous_ = &link;
  }

  T& front() noexcept {
    assert(!empty());
    return static_cast<T&>(static_cast<ListNode<Tag>&>(*head_.next_));
  }

  T& popFront() noexcept {
    T& element = front();
    head_.next_->unlink();
    return element;
  }

  // Moves all elements of `other` to the end of this list.
  void append(IntrusiveList& other) noexcept {
    if (other.empty()) return;
    ListLink* first = other.head_.next_;
    ListLink* last = other.head_.previous_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
    other.head_.next_ = other.head_.previous_ = &other.head_;
  }

 private:
  ListLink head_;
};

}  // namespace penstock
