// The back-pressure contract between what makes bytes and what takes them.
#pragma once

#include <penstock/runtime/buffer.h>
#include <penstock/runtime/bytes.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace penstock {

class Consumer;

// Makes bytes for a Consumer and can be told to hold. The consumer never owns it: it must live
// until it is unregistered or stopped; a transport that is lost unregisters itself. All calls come
// on the loop's thread. Twisted: IPushProducer and IPullProducer.
class Producer {
 public:
  // Hold: the consumer has enough. Streaming producers only. May be called from inside write().
  virtual void pauseProducing() = 0;

  // Streaming: go on, once for each pause. Pull: write one portion before returning; a pull
  // producer that writes nothing and stays registered is not asked again until someone writes.
  virtual void resumeProducing() = 0;

  // The consumer is gone for good; nothing more is wanted and no unregisterProducer is needed.
  virtual void stopProducing() = 0;

  // Whether nothing can come any more, though nobody unregistered it: a consumer that is to close
  // does not wait for such a one, and does not resume it. A transport has finished when it reads no
  // more for good.
  virtual bool hasFinished() const noexcept { return false; }

  // By the consumer that it was registered with, and is no more. A producer that may finish by
  // itself remembers it, to call Consumer::producerFinished() then.
  virtual void consumerAttached(Consumer&) noexcept {}
  virtual void consumerDetached(Consumer&) noexcept {}

 protected:
  ~Producer() = default;
};

// kStreaming: runs until paused (IPushProducer). kPull: writes when asked (IPullProducer).
enum class Production { kPull, kStreaming };

// Takes bytes, never blocks, and tells its one producer when to hold. Loop thread only.
// Twisted: IConsumer.
class Consumer {
 public:
  // Queues a copy of `bytes`. Never blocks. Calls nothing back, except pauseProducing() on the
  // registered streaming producer when the queue passes the high-water mark; an exception from
  // there reaches the caller, with the bytes accepted. Ignored once the connection is over.
  virtual void write(Bytes bytes) = 0;

  // Queues `buffer` without copying it; otherwise as write(Bytes).
  virtual void write(Buffer buffer) = 0;

  // Queues all parts as one write: the mark is tested once, at the end.
  virtual void writeSequence(std::span<const Bytes> parts) = 0;

  // Text, as write(Bytes); a string that is given away is not copied when it is long.
  void write(std::string_view text) { write(asBytes(text)); }
  void write(const char* text) { write(std::string_view(text)); }
  void write(std::string&& text) {
    if (text.size() < kTakeAtLeast) return write(asBytes(text));
    write(Buffer(std::move(text)));
  }

  // From now on `producer` is paused and resumed with this consumer. A pull producer is resumed
  // inside this call. A consumer that is disconnected stops the producer at once instead.
  // Throws std::logic_error when a producer is registered already; that one stays.
  virtual void registerProducer(Producer& producer, Production production) = 0;

  // The producer has finished; a pending close or half-close may proceed. Harmless with none.
  virtual void unregisterProducer() = 0;

  // The registered producer has finished by itself (see Producer::hasFinished()): what waits for it
  // may proceed. It stays registered.
  virtual void producerFinished() {}

 protected:
  // Below this many bytes a copy is cheaper than an owner.
  static constexpr std::size_t kTakeAtLeast = 2048;

  ~Consumer() = default;

 private:
  friend class ConsumersOfProducer;
  Consumer* next_ = nullptr;  // Of the same producer: a consumer has one producer.
};

// The consumers that a producer is registered with, as it hears of them by consumerAttached() and
// consumerDetached(). Allocates nothing.
class ConsumersOfProducer {
 public:
  void add(Consumer& consumer) noexcept {
    consumer.next_ = first_;
    first_ = &consumer;
  }
  void remove(Consumer& consumer) noexcept {
    Consumer** link = &first_;
    while (*link && *link != &consumer) link = &(*link)->next_;
    if (*link) *link = std::exchange(consumer.next_, nullptr);
  }

  // The producer can produce nothing more; nor is it there any more.
  void producerFinished() const {
    for (Consumer *each = first_, *next; each; each = next) {
      next = each->next_;
      each->producerFinished();
    }
  }
  void unregisterProducer() {
    while (Consumer* const consumer = first_) {
      consumer->unregisterProducer();
      remove(*consumer);
    }
  }

 private:
  Consumer* first_ = nullptr;
};

}  // namespace penstock
