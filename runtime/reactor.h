// Reactor: the loop. It owns what is open, keeps time, and runs callbacks.
#pragma once

#include <penstock/runtime/core/reactor_object.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/log.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/parts/buffer_pool.h>
#include <penstock/runtime/parts/call_queue.h>
#include <penstock/runtime/parts/intrusive_list.h>
#include <penstock/runtime/parts/timer_queue.h>
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/runtime/protocol_factory.h>
#include <penstock/runtime/remote.h>
#include <penstock/runtime/system/pipe_pool.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/timer.h>

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace penstock {

class Connection;
class SignalWatch;
class UnixConnects;
class WriteBuffer;
struct InWriters;
struct InDeferred;

enum class Backend { kAuto, kEpoll, kUring };

struct ReactorOptions {
  // Which family. For kAuto, PENSTOCK_BACKEND=uring|epoll|auto in the environment decides, if it is
  // set. A family that is named here is what the program needs, and the environment has no say.
  Backend backend = Backend::kAuto;

  // PENSTOCK_BACKEND decides even where `backend` names a family.
  bool environmentDecides = false;

  // Exceptions from callbacks, refused accepts and the like; never one line per message. The
  // default writes lines to stderr.
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

  // How many bytes may wait in all connections of the loop together, to be sent or delivered. The
  // connection whose write goes beyond it is lost with ConnectionError::kBufferLimit.
  std::size_t bufferLimit = std::numeric_limits<std::size_t>::max();

  // Kernel features to do without, as bits of uring::Feature; for tests of the fallbacks.
  std::uint32_t uringFeaturesOff = 0;
};

// One loop, for one thread: the first that calls run() or iterate(), and until then the one that
// created it. Unless said otherwise every member is for that thread only; those that begin or
// arrange something, and disconnectAll(), throw std::logic_error in any other, on every backend.
// What is called in between must be ordered by the program, as by starting or joining a thread.
// Twisted: IReactorCore, IReactorTime, IReactorThreads.
class PENSTOCK_API Reactor {
 public:
  // The best family that works here (see backends.h). Throws std::system_error with the remedy
  // when the one asked for cannot work, and std::invalid_argument for an unknown name in
  // PENSTOCK_BACKEND.
  static std::unique_ptr<Reactor> create(ReactorOptions options = {});

  // Makes the calls that callFromThread() took, disconnects everything, telling the protocols, and
  // waits until the kernel has let go. Not from inside a callback. In another thread once run() has
  // returned there; with connections still open, io_uring then leaks what the kernel uses of them
  // and logs it, for only their own thread can end them. In a forked child it does none of this:
  // what is open is the parent's.
  virtual ~Reactor();

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  virtual Backend backend() const noexcept = 0;

  // --- Running ---------------------------------------------------------------------------------

  // Fires the startup triggers, runs turns until stop(), then fires the shutdown triggers and
  // disconnects everything, also what that makes callbacks open, and waits at most 5 s for the
  // kernel to let go of it; a second signal of stopOnSignals() ends that wait. May be called again
  // afterwards. Throws std::logic_error when it runs already, in a callback, in a thread or a
  // forked child that it is not for; std::system_error if the kernel takes the loop itself away.
  // What callbacks throw is logged, and memory that is short costs a connection, not the loop.
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

  // Here and below an empty callback throws std::invalid_argument.

  // Calls `callback` once, `delay` or more from now. A negative delay throws
  // std::invalid_argument.
  DelayedCall callLater(Duration delay, Callback callback);

  // Calls `callback` in the next turn.
  void callSoon(Callback callback);

  // Any thread: queues `callback` for the loop's thread and wakes it. It runs in a turn, or at the
  // latest in the reactor's destructor. False: refused, because too many wait
  // (ReactorOptions::threadCallLimit) or the reactor is being destroyed.
  [[nodiscard]] bool callFromThread(Callback callback);

  // This reactor as other threads may use it, also when it is gone. Loop thread; the value is for
  // any.
  Remote remote() const noexcept { return Remote(remote_); }

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

  using SignalCallback = UniqueFunction<void(int signal)>;
  using SignalId = std::uint64_t;

  // Calls `callback(signal)` in the loop's thread when the process gets `signal`, instead of what
  // would happen then, until it is removed or the reactor ends. A signal that comes several times
  // before the loop looks is told once. All that ask for a signal are told, also in other reactors.
  // Throws std::invalid_argument for what cannot be caught (SIGKILL) or cannot wait (SIGSEGV).
  // A forked child does not inherit it. Twisted leaves this to Python's signal.signal.
  SignalId onSignal(int signal, SignalCallback callback);
  bool removeSignal(SignalId id) noexcept;  // False: there is none such.

  // SIGINT and SIGTERM stop the loop, while this reactor lives. A SIGINT that is ignored stays so:
  // a shell starts its background jobs like that.
  void stopOnSignals();

  // The same two signals call `callback(signal)` in the loop's thread instead, also while run()
  // ends. Either may be called again, also from inside `callback`: the last one counts.
  void onStopSignals(SignalCallback callback);

  // --- Opening things (transports/ is the comfortable way) -------------------------------------

  // Flags for socket(2): whether this family wants its descriptors non-blocking.
  virtual int socketFlags() const noexcept = 0;

  // Makes a connection of a connected stream socket made with socketFlags(). connectionMade()
  // is called before this returns. `peer` is what getPeer() will tell; if it is empty, the kernel
  // is asked now. Like the two below it throws std::invalid_argument for a null protocol or an
  // empty callable.
  Transport& openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                        const SocketAddress& peer = {});

  // Accepts from a listening socket; each connection gets a protocol of `factory`. `atEnd`, which
  // may be empty, is called when the listening ends, however it does, before the descriptor is
  // closed.
  Listener& openListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd = {});

  // Connects a socket made with socketFlags(); `handler` is called once, never from inside this
  // call. Waits without limit: for an answer, or for room in the backlog of a UNIX socket.
  PendingConnect& openConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler);

  // What the loop holds of memory for bytes, now.
  struct Memory {
    std::size_t queuedBytes;    // Wait to be sent or delivered, wherever they lie.
    std::size_t sendBlocks;     // Allocated for bytes that were copied, in use or kept for use.
    std::size_t receiveBlocks;  // Allocated to receive into, in use or kept for use.
  };
  virtual Memory memory() const noexcept = 0;

  // Disconnects everything open. From inside a callback of one that is being disconnected, what
  // was opened meanwhile follows the rest. Twisted: disconnectAll.
  void disconnectAll();

  // --- For the parts of the runtime ------------------------------------------------------------

  // While one lives, something of the program's is being called: the loop cannot be turned, which
  // would free what calls it.
  class CallOut {
   public:
    explicit CallOut(Reactor& reactor) noexcept : count_(reactor.callsOut_) { ++count_; }
    ~CallOut() { --count_; }
    CallOut(const CallOut&) = delete;
    CallOut& operator=(const CallOut&) = delete;

   private:
    unsigned& count_;
  };

  // What a connection holds of what it has received. Give it back empty. May throw std::bad_alloc.
  std::unique_ptr<WriteBuffer> takeHolder();
  void giveBack(std::unique_ptr<WriteBuffer> holder) noexcept;

  TimerQueue& timers() noexcept { return timers_; }
  Handles& handles() noexcept { return handles_; }
  BufferPool& buffers() noexcept { return buffers_; }
  const BufferPool& buffers() const noexcept { return buffers_; }
  PipePool& pipes() noexcept { return pipes_; }
  TimePoint deadlineAfter(Duration delay) const;

  // Throws std::logic_error in a thread that this is not for.
  void requireThread() const {
    if (std::this_thread::get_id() != thread_) refuseThread();
  }

  void log(LogRecord record) noexcept;  // Escapes its text, and names what it is about.
  void log(std::string_view line) noexcept { log(LogRecord{LogLevel::kWarning, line}); }
  void logException(std::string_view where, const Transport* connection = nullptr,
                    const Listener* listener = nullptr) noexcept;  // Inside a catch block.
  void runCallback(Callback& callback) noexcept;                   // Logs what it throws.

  // Calls `visit` with everything open, and nothing that it opens; it may end any of it, and must
  // not throw.
  template <class Visit>
  void forEachObject(Visit visit);

  // Whether this is a copy in a child of the process that made it: nothing in it is its own.
  bool inForkedChild() const noexcept;

  void adopt(ReactorObject& object) noexcept { objects_.pushBack(object); }
  void retire(ReactorObject& object) noexcept;
  void writeSoon(Connection& connection) noexcept;  // Flush it once, at the end of the turn.

  // The same after a pause: the kernel is short of memory.
  void writeLater(Connection& connection) noexcept;
  void deferToNextTurn(Connection& connection) noexcept;

 protected:
  explicit Reactor(ReactorOptions options);

  // The parts of a turn, in their order. Tests replay them one by one.
  void runCalls();      // Timers that are due, deferred work, calls.
  void flushWriters();  // Each connection that wants to write, once.
  virtual void poll(std::optional<Duration> timeout) = 0;  // Wait; run what became ready.
  void reap();  // Frees what was retired and the kernel has let go.

  // What openStream() and its like do, by the family. makeConnect() makes none of a UNIX socket.
  virtual Transport& makeStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                                const SocketAddress& peer) = 0;
  virtual Listener& makeListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) = 0;
  virtual PendingConnect& makeConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                      ConnectHandler handler) = 0;

  // Whether the kernel lets the present thread wait for what is in flight. Asked at the end.
  virtual bool mayPollHere() const noexcept { return true; }

  virtual void submit() {}           // Hands prepared work to the kernel without waiting.
  virtual void wake() noexcept = 0;  // Any thread, and signal handlers.
  virtual bool hasReadyWork() const noexcept { return false; }  // poll() must not wait.

  // Whether work was prepared that only the next turn hands to the kernel.
  virtual bool hasUnsubmittedWork() const noexcept { return false; }

  // Ends everything and waits for the kernel. A family calls it in its destructor.
  void abandonAll() noexcept;

  // Whether abandonAll() had to leave something to the kernel, or to the parent process.
  bool leaked() const noexcept { return leaked_; }

 private:
  friend class SignalWatch;
  struct Trigger {
    TriggerId id;
    Phase phase;
    Event event;
    Callback callback;
  };

  static constexpr std::size_t kHoldersKept = 64;

  void takeThread();
  [[noreturn]] static void refuseThread();
  void requireOwner() const;
  void turn(std::optional<Duration> atMost);
  void end();
  std::optional<Duration> waitTime(std::optional<Duration> atMost) const;
  bool disconnectMore(unsigned& rounds) noexcept;
  bool pollAtEnd() noexcept;
  void closeRemote() noexcept;
  void forgetAll() noexcept;
  void logPlain(LogRecord record) noexcept;
  void fire(Event event, Phase phase);
  void stopSignalled();
  SignalWatch& signalWatch();
  void deliverSignals();

  BufferPool buffers_;
  TimerQueue timers_;
  DelayedCalls delayedCalls_{*this};
  PipePool pipes_{*this};
  CallQueue calls_;
  Handles handles_;
  const std::shared_ptr<Remote::State> remote_;
  const pid_t process_;
  std::thread::id thread_;
  bool threadIsFinal_ = false;  // It has run there.
  Log log_;
  IntrusiveList<ReactorObject, InReactor> objects_;
  IntrusiveList<ReactorObject, InReactor> disconnecting_;  // By the disconnectAll() that runs.
  IntrusiveList<ReactorObject, InReactor> retired_;
  IntrusiveList<Connection, InDeferred> deferred_;
  std::vector<std::unique_ptr<WriteBuffer>> holders_;  // Not in use.
  std::vector<Trigger> triggers_;
  TriggerId lastTrigger_ = 0;
  std::unique_ptr<SignalWatch> signals_;
  IntrusiveList<Connection, InWriters> stalled_;  // Write once the pause is over.
  Timer stallOver_{*this, [this] { writers_.append(stalled_); }};
  std::unique_ptr<UnixConnects> unixConnects_;  // Null before the first.
  std::array<SignalId, 2> stopSignals_{};       // Of onStopSignals(); 0: none.
  unsigned callsOut_ = 0;
  bool running_ = false;
  bool stopping_ = false;
  bool ending_ = false;     // run() disconnects what is open.
  bool impatient_ = false;  // It is not to be waited for any longer.
  bool inTurn_ = false;
  bool disconnectingAll_ = false;
  bool leaked_ = false;

 protected:
  IntrusiveList<Connection, InWriters> writers_;
};

template <class Visit>
void Reactor::forEachObject(Visit visit) {
  IntrusiveList<ReactorObject, InReactor> unvisited;
  unvisited.append(objects_);
  while (!unvisited.empty()) {
    ReactorObject& object = unvisited.popFront();
    objects_.pushBack(object);
    visit(object);
  }
}

}  // namespace penstock
