// Reactor: the loop. It owns what is open, keeps time, and runs callbacks.
#pragma once

#include <penstock/runtime/buffer_pool.h>
#include <penstock/runtime/call_queue.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/intrusive_list.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/pipe_pool.h>
#include <penstock/runtime/reactor_object.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/timer.h>
#include <penstock/runtime/timer_queue.h>
#include <penstock/runtime/transport.h>
#include <penstock/runtime/unique_function.h>

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace penstock {

class Connection;
class SignalWatch;
struct InWriters;
struct InDeferred;

enum class Backend { kAuto, kEpoll, kUring };

// Takes one line without its line feed. The default writes it to stderr.
using Log = UniqueFunction<void(std::string_view line)>;

struct ReactorOptions {
  // Which family. PENSTOCK_BACKEND=uring|epoll|auto in the environment has the last word.
  Backend backend = Backend::kAuto;

  // Exceptions from callbacks, refused accepts and the like; never one line per message.
  Log log = {};

  // How many calls of callFromThread() may wait.
  std::size_t threadCallLimit = 1 << 20;

  // Receive on io_uring with multishot requests (IORING_RECV_MULTISHOT) where the kernel has them
  // and the socket is no UNIX one, whose end some kernels then miss. docs/performance.md tells
  // what it was worth.
  bool uringMultishotReceive = false;

  // On io_uring, sends of so many bytes or more leave it to the network to take the bytes from
  // where they lie (IORING_OP_SEND_ZC), and each connection learns from the kernel's reports from
  // how many on that really saves a copy; on loopback it never does. Worth it for bulk over a
  // network card, and best with write(Buffer). 0: never. A sensible start is 65536.
  std::size_t uringZeroCopyFrom = 0;

  // Kernel features to do without, as bits of uring::Feature; for tests of the fallbacks.
  std::uint32_t uringFeaturesOff = 0;
};

// One loop, for one thread: the one that created it. Unless said otherwise
// every member is for that thread only. Twisted: IReactorCore, IReactorTime, IReactorThreads.
class PENSTOCK_API Reactor {
 public:
  // The best family that works here (see backends.h). Throws std::system_error with the remedy
  // when the one asked for cannot work, and std::invalid_argument for an unknown name in
  // PENSTOCK_BACKEND.
  static std::unique_ptr<Reactor> create(ReactorOptions options = {});

  // Makes the calls that callFromThread() took, disconnects everything, telling the protocols, and
  // waits until the kernel has let go. Not from inside a callback. In a forked child it does none
  // of this: what is open is the parent's.
  virtual ~Reactor();

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  virtual Backend backend() const noexcept = 0;

  // --- Running ---------------------------------------------------------------------------------

  // Fires the startup triggers, runs turns until stop(), then fires the shutdown triggers and
  // disconnects everything, also what that makes callbacks open. May be called again afterwards.
  // Throws std::logic_error when it runs already or in a callback.
  void run();

  // Ends run() after the present turn. In a callback or before run(); see callFromThread().
  void stop();

  // Whether stop() was called, until run() returns. A foreign loop asks this after iterate().
  bool stopping() const noexcept { return stopping_; }

  // One turn, for embedding in a foreign loop: waits at most `wait` for something to happen, then
  // does what is due. Call it when pollDescriptor() is readable or timeUntilDue() is over. The
  // triggers belong to run(): none fires here. Throws std::logic_error in a callback of the loop.
  void iterate(Duration wait = Duration::zero());

  // Readable (level-triggered) when iterate() has something to do, timers apart.
  virtual int pollDescriptor() const noexcept = 0;

  // How long until iterate() is needed whatever the descriptor says; none: no limit.
  std::optional<Duration> timeUntilDue() const;

  bool running() const noexcept { return running_; }

  // --- Time and calls --------------------------------------------------------------------------

  TimePoint now() const noexcept;

  // Calls `callback` once, `delay` or more from now. A negative delay throws
  // std::invalid_argument.
  DelayedCall callLater(Duration delay, Callback callback);

  // Calls `callback` in the next turn.
  void callSoon(Callback callback);

  // Any thread: queues `callback` for the loop's thread and wakes it. It runs in a turn, or at the
  // latest in the reactor's destructor. False: refused, because too many wait
  // (ReactorOptions::threadCallLimit) or the reactor is being destroyed.
  [[nodiscard]] bool callFromThread(Callback callback);

  // --- Starting and stopping -------------------------------------------------------------------

  // System event triggers, in the order of adding. kBefore and kDuring of shutdown run while
  // everything is still connected, kAfter when all is gone. Twisted: addSystemEventTrigger.
  enum class Event { kStartup, kShutdown };
  enum class Phase { kBefore, kDuring, kAfter };
  using TriggerId = std::uint64_t;
  TriggerId addSystemEventTrigger(Phase phase, Event event, Callback callback);
  bool removeSystemEventTrigger(TriggerId id);  // False: there is none such.

  // Calls `callback` as soon as the reactor runs: now, if it does.
  void callWhenRunning(Callback callback);

  // SIGINT and SIGTERM stop the loop, while this reactor lives. One reactor of a process at a
  // time; a second throws std::logic_error.
  void stopOnSignals();

  // The same two signals call `callback(signal)` in the loop's thread instead. Either may be
  // called again, also from inside `callback`: the last one counts.
  void onStopSignals(UniqueFunction<void(int signal)> callback);

  // --- Opening things (transports/ is the comfortable way) -------------------------------------

  // Flags for socket(2): whether this family wants its descriptors non-blocking.
  virtual int socketFlags() const noexcept = 0;

  // Makes a connection of a connected stream socket made with socketFlags(). connectionMade()
  // is called before this returns.
  virtual Transport& openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol) = 0;

  // Accepts from a listening socket; each connection gets a protocol of `factory`.
  virtual Listener& openListener(OwnedFd fd, ProtocolFactory factory) = 0;

  // Connects a socket; `handler` is called once, never from inside this call.
  virtual PendingConnect& openConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                      ConnectHandler handler) = 0;

  // Disconnects everything open. Twisted: disconnectAll.
  void disconnectAll();

  // --- For the parts of the runtime ------------------------------------------------------------

  TimerQueue& timers() noexcept { return timers_; }
  BufferPool& buffers() noexcept { return buffers_; }
  PipePool& pipes() noexcept { return pipes_; }
  TimePoint deadlineAfter(Duration delay) const;
  void log(std::string_view line) noexcept;
  void logException(std::string_view where) noexcept;  // Inside a catch block.
  void runCallback(Callback& callback) noexcept;       // Logs what it throws.

  void adopt(ReactorObject& object) noexcept { objects_.pushBack(object); }
  void retire(ReactorObject& object) noexcept;
  void writeSoon(Connection& connection) noexcept;  // Flush it once, at the end of the turn.
  void deferToNextTurn(Connection& connection) noexcept;

 protected:
  explicit Reactor(ReactorOptions options);

  // The parts of a turn, in their order. Tests replay them one by one.
  void runCalls();      // Timers that are due, deferred work, calls.
  void flushWriters();  // Each connection that wants to write, once.
  virtual void poll(std::optional<Duration> timeout) = 0;  // Wait; run what became ready.
  void reap();  // Frees what was retired and the kernel has let go.

  virtual void submit() {}           // Hands prepared work to the kernel without waiting.
  virtual void wake() noexcept = 0;  // Any thread, and signal handlers.
  virtual bool hasReadyWork() const noexcept { return false; }  // poll() must not wait.

  // Whether work was prepared that only the next turn hands to the kernel.
  virtual bool hasUnsubmittedWork() const noexcept { return false; }

  // Ends everything and waits for the kernel. A family calls it in its destructor.
  void abandonAll() noexcept;

  // Whether abandonAll() had to leave something to the kernel, or to the parent process.
  bool leaked() const noexcept { return leaked_; }

  // Whether this is a copy in a child of the process that made it: nothing in it is its own.
  bool inForkedChild() const noexcept;

 private:
  friend class SignalWatch;
  struct Trigger {
    TriggerId id;
    Phase phase;
    Event event;
    Callback callback;
  };

  void turn(std::optional<Duration> atMost);
  std::optional<Duration> waitTime(std::optional<Duration> atMost) const;
  bool disconnectMore(unsigned& rounds) noexcept;
  void forgetAll() noexcept;
  void fire(Event event, Phase phase);
  void deliverSignals();

  BufferPool buffers_;
  TimerQueue timers_;
  DelayedCalls delayedCalls_{*this};
  PipePool pipes_{*this};
  CallQueue calls_;
  const pid_t process_;
  Log log_;
  IntrusiveList<ReactorObject, InReactor> objects_;
  IntrusiveList<ReactorObject, InReactor> retired_;
  IntrusiveList<Connection, InDeferred> deferred_;
  std::vector<Trigger> triggers_;
  TriggerId lastTrigger_ = 0;
  std::unique_ptr<SignalWatch> signals_;
  bool running_ = false;
  bool stopping_ = false;
  bool inTurn_ = false;
  bool leaked_ = false;

 protected:
  IntrusiveList<Connection, InWriters> writers_;
};

}  // namespace penstock
