// Reactor: the loop. It owns what is open, keeps time, and runs callbacks.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/runtime/protocol_factory.h>
#include <penstock/runtime/reactor_options.h>
#include <penstock/runtime/remote.h>
#include <penstock/runtime/stats.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/timer.h>
#include <penstock/runtime/watch.h>

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace penstock {

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
  virtual void run() = 0;

  // Ends run() after the present turn. In a callback or before run(); see callFromThread().
  virtual void stop() = 0;

  // Whether stop() was called, until run() returns. A foreign loop asks this after iterate().
  virtual bool stopping() const noexcept = 0;

  // One turn, for embedding in a foreign loop: waits at most `wait` for something to happen, then
  // does what is due. Call it when pollDescriptor() is readable or timeUntilDue() is over. The
  // triggers belong to run(): none fires here. Throws std::logic_error in a callback of the loop.
  virtual void iterate(Duration wait = Duration::zero()) = 0;

  // Readable (level-triggered) when iterate() has something to do, timers apart.
  virtual int pollDescriptor() const noexcept = 0;

  // How long until iterate() is needed whatever the descriptor says; none: no limit.
  virtual std::optional<Duration> timeUntilDue() const = 0;

  virtual bool running() const noexcept = 0;

  // --- Time and calls --------------------------------------------------------------------------

  virtual TimePoint now() const noexcept = 0;

  // Here and below an empty callback throws std::invalid_argument.

  // Calls `callback` once, `delay` or more from now. A negative delay throws
  // std::invalid_argument.
  virtual DelayedCall callLater(Duration delay, Callback callback) = 0;

  // Calls `callback` in the next turn.
  virtual void callSoon(Callback callback) = 0;

  // Any thread: queues `callback` for the loop's thread and wakes it. It runs in a turn, or at the
  // latest in the reactor's destructor. False: refused, because too many wait
  // (ReactorOptions::threadCallLimit) or the reactor is being destroyed.
  [[nodiscard]] virtual bool callFromThread(Callback callback) = 0;

  // Runs `work`, which blocks, on one of the reactor's own threads (ReactorOptions::poolThreads),
  // started when first needed and joined in its destructor, which runs what still waits. What it
  // throws is logged. It tells its result by callFromThread(). False: too many wait
  // (ReactorOptions::poolTaskLimit), or no thread could be started. Twisted: callInThread.
  [[nodiscard]] virtual bool callInThread(Callback work) = 0;

  // This reactor as other threads may use it, also when it is gone. Loop thread; the value is for
  // any.
  virtual Remote remote() const noexcept = 0;

  // --- Starting and stopping -------------------------------------------------------------------

  // System event triggers, in the order of adding. kBefore and kDuring of shutdown run while
  // everything is still connected, kAfter when all is gone. Twisted: addSystemEventTrigger.
  enum class Event { kStartup, kShutdown };
  enum class Phase { kBefore, kDuring, kAfter };
  using TriggerId = std::uint64_t;
  virtual TriggerId addSystemEventTrigger(Phase phase, Event event, Callback callback) = 0;
  virtual bool removeSystemEventTrigger(TriggerId id) = 0;  // False: there is none such.

  // Calls `callback` as soon as the reactor runs: now, if it does.
  virtual void callWhenRunning(Callback callback) = 0;

  using SignalCallback = UniqueFunction<void(int signal)>;
  using SignalId = std::uint64_t;

  // Calls `callback(signal)` in the loop's thread when the process gets `signal`, instead of what
  // would happen then, until it is removed or the reactor ends. A signal that comes several times
  // before the loop looks is told once. All that ask for a signal are told, also in other reactors.
  // Throws std::invalid_argument for what cannot be caught (SIGKILL) or cannot wait (SIGSEGV).
  // A forked child does not inherit it. Twisted leaves this to Python's signal.signal.
  virtual SignalId onSignal(int signal, SignalCallback callback) = 0;
  virtual bool removeSignal(SignalId id) noexcept = 0;  // False: there is none such.

  // SIGINT and SIGTERM stop the loop, while this reactor lives. A SIGINT that is ignored stays so:
  // a shell starts its background jobs like that.
  virtual void stopOnSignals() = 0;

  // The same two signals call `callback(signal)` in the loop's thread instead, also while run()
  // ends. Either may be called again, also from inside `callback`: the last one counts.
  virtual void onStopSignals(SignalCallback callback) = 0;

  // --- Opening things (transports/ is the comfortable way) -------------------------------------

  // Flags for socket(2): whether this family wants its descriptors non-blocking.
  virtual int socketFlags() const noexcept = 0;

  // Makes a connection of a connected stream socket made with socketFlags(). connectionMade()
  // is called before this returns. `peer` is what getPeer() will tell; if it is empty, the kernel
  // is asked now. Like the two below it throws std::invalid_argument for a null protocol or an
  // empty callable.
  virtual Transport& openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                                const SocketAddress& peer = {}) = 0;

  // Accepts from a listening socket; each connection gets a protocol of `factory`. `atEnd`, which
  // may be empty, is called when the listening ends, however it does, before the descriptor is
  // closed.
  virtual Listener& openListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd = {}) = 0;

  // Connects a socket made with socketFlags(); `handler` is called once, never from inside this
  // call. Waits without limit: for an answer, or for room in the backlog of a UNIX socket.
  virtual PendingConnect& openConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                      ConnectHandler handler) = 0;

  // Tells `handler` in turns to come when `fd`, which stays the caller's, is ready for what
  // `interest` asks; stop() that before it is closed. Not for what this reactor has open itself,
  // nor twice for one descriptor. A regular file is always ready, as poll(2) has it. What the
  // kernel says against it is told to `handler`. Twisted: IReactorFDSet.
  virtual Watch& watch(int fd, Interest interest, WatchHandler handler) = 0;

  // What the loop holds of memory for bytes, now.
  struct Memory {
    std::size_t queuedBytes;    // Wait to be sent or delivered, wherever they lie.
    std::size_t sendBlocks;     // Allocated for bytes that were copied, in use or kept for use.
    std::size_t receiveBlocks;  // Allocated to receive into, in use or kept for use.
  };
  virtual Memory memory() const noexcept = 0;

  // What it has done and has waiting. What is now takes a walk over all that is open.
  virtual Stats stats() const noexcept = 0;

  // Disconnects everything open. From inside a callback of one that is being disconnected, what
  // was opened meanwhile follows the rest. Twisted: disconnectAll.
  virtual void disconnectAll() = 0;

 private:
  friend class ReactorBase;  // It carries this out, and nothing else does.
  Reactor() = default;
};

}  // namespace penstock
