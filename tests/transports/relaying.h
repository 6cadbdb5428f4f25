// Two connections joined by relay(), with peers at both outer ends that send and check patterns.
#pragma once

#include <penstock/runtime/system/socket_calls.h>
#include <penstock/tests/support/pattern.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/loopback.h>
#include <penstock/transports/relay.h>

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>

namespace penstock::testing {

// An outer end: what it sends is the pattern from its beginning on, and so should be what it gets.
struct RelayPeer : Recorder {
  RelayPeer() {
    halfCloseable = true;
    keepsData = false;
    onData = [this](Bytes bytes) { pattern.add(bytes); };
  }

  void send(std::size_t count) {
    for (const std::uint64_t end = sent + count; sent < end;) {
      const Bytes bytes = patternAt(sent, static_cast<std::size_t>(end - sent));
      transport().write(bytes);
      sent += bytes.size();
    }
  }

  // Closes when the other side sends no more; it may have ended already.
  void closeAtEnd() {
    onReadLost = [this] { transport().loseConnection(); };
    if (connected() && heard("readLost")) transport().loseConnection();
  }

  bool hasAllOf(const RelayPeer& other) const {
    return pattern.good() && pattern.count() == other.sent;
  }

  PatternCheck pattern;
  std::uint64_t sent = 0;
};

// Counts and checks what passes.
struct PatternTap final : RelayTap {
  void passing(Transport& from, Bytes bytes) override {
    (&from == ofLeft ? leftToRight : rightToLeft).add(bytes);
  }

  const Transport* ofLeft = nullptr;
  PatternCheck leftToRight, rightToLeft;
};

enum class Mode { kTapped, kCopied, kSpliced };
inline constexpr std::array kModes{Mode::kTapped, Mode::kCopied, Mode::kSpliced};

inline std::ostream& operator<<(std::ostream& out, Mode mode) {
  constexpr std::array kNames{"tapped", "copied", "spliced"};
  return out << kNames[static_cast<std::size_t>(mode)];
}

enum class Joint { kTcp, kUnix, kLoopback };

// left - a =relay= b - right
struct Relaying {
  RelayPeer left, right;
  Recorder a, b;
  PatternTap tap;
  Relay joint;
  ReactorFixture loop;

  static constexpr int kLargeBuffers = 16 << 20;
  static void enlargeBuffers(int fd) {
    setSendBuffer(fd, kLargeBuffers);
    setReceiveBuffer(fd, kLargeBuffers);
  }

  // Small buffers leave it to the relay to hold bytes.
  void connect(RelayPeer& peer, Recorder& end, Joint joint) {
    if (joint == Joint::kLoopback) {
      loopbackPair(loop.reactor(), peer.makeProtocol(), end.makeProtocol());
    } else {
      const bool tcp = joint == Joint::kTcp;
      loop.connect(peer, end, tcp ? SocketFamily::kTcp : SocketFamily::kUnix, useSmallBuffers);
    }
  }

  void connectBoth(Joint ofLeft = Joint::kTcp, Joint ofRight = Joint::kTcp) {
    connect(left, a, ofLeft);
    connect(right, b, ofRight);
  }

  void relayIn(Mode mode, RelayOptions options = {}) {
    tap.ofLeft = &a.transport();
    options.tap = mode == Mode::kTapped ? &tap : nullptr;
    joint = relay(a.transport(), b.transport(), std::move(options));
    if (mode != Mode::kSpliced) return;
    left.send(kEnoughToSplice);
    waitForAll();
    BOOST_REQUIRE(isSpliced(b));
  }

  void open(Mode mode, Joint ofLeft = Joint::kTcp, Joint ofRight = Joint::kTcp) {
    connectBoth(ofLeft, ofRight);
    relayIn(mode);
  }

  // What is spliced to an end is asked for.
  static bool isSpliced(const Recorder& end) {
    return end.transport().producer() && !end.transport().streamingProducer();
  }

  void waitFor(const RelayPeer& receiver, const RelayPeer& sender) {
    loop.runUntil([&] { return receiver.pattern.count() >= sender.sent; }, "what was sent");
    BOOST_TEST(receiver.hasAllOf(sender));
  }
  void waitForAll() {
    waitFor(right, left);
    waitFor(left, right);
  }
  void waitForLosses() {
    left.closeAtEnd();
    right.closeAtEnd();
    loop.runUntil([&] { return left.lost && right.lost && a.lost && b.lost; }, "the ends");
  }

  // Sends from `left` until nothing moves any more: `right` does not read. Returns how much is on
  // its way: in the relay and in what is before and behind it.
  std::size_t fillUp() {
    right.transport().pauseProducing();
    left.send(kFlood);
    std::size_t waiting = 0;
    do {
      waiting = left.transport().bufferedBytes();
      loop.settle();
    } while (left.transport().bufferedBytes() < waiting);
    return kFlood - waiting;
  }

  // `right` does not read, and the relay holds bytes for it, but has not stopped `left` by more
  // than a few bytes. Returns how many bytes the relay has taken so far.
  std::uint64_t holdSome() {
    right.transport().pauseProducing();
    do {
      left.send(kChunk);
      loop.settle();
    } while (unreadOf(a) == 0 && b.transport().bufferedBytes() == 0);
    BOOST_TEST_REQUIRE(left.transport().bufferedBytes() == 0);
    std::size_t unread = 0;
    for (int i = 0; i < 5; ++i) {  // The simulated kernel withholds some now and then.
      loop.settle();
      unread = std::max(unread, unreadOf(a));
    }
    return left.sent - unread;
  }

  // What the relay has not received yet.
  static std::size_t unreadOf(const Recorder& end) {
    std::array<std::byte, 4 * kChunk> bytes;
    const ssize_t unread =
        socketCalls().recv(end.transport().descriptor(), bytes, MSG_PEEK | MSG_DONTWAIT);
    return unread > 0 ? static_cast<std::size_t>(unread) : 0;
  }

  void resume(RelayPeer& peer) {
    if (peer.connected()) peer.transport().resumeProducing();
  }

  static constexpr std::size_t kChunk = 4096;
  static constexpr std::size_t kEnoughToSplice = 512 * 1024;
  static constexpr std::size_t kFlood = 16 << 20;
};

}  // namespace penstock::testing
