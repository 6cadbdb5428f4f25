// ReactorBase: carries out the contract of Reactor, as far as the families do it alike.
#pragma once

#include <penstock/runtime/core/delayed_calls.h>
#include <penstock/runtime/core/handles.h>
#include <penstock/runtime/core/loop_object.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/log.h>
#include <penstock/runtime/parts/buffer_pool.h>
#include <penstock/runtime/parts/call_queue.h>
#include <penstock/runtime/parts/intrusive_list.h>
#include <penstock/runtime/parts/timer_queue.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system/pipe_pool.h>

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace penstock {

class SignalWatch;
class ThreadPool;
class UnixConnects;
class WriteBuffer;

// The turn and what happens in it, what is open, time, calls and signals; a family adds how the
// kernel is waited for and what it opens. What is here beside the contract is for the parts of the
// runtime. Twisted: ReactorBase, PosixReactorBase.
class PENSTOCK_API ReactorBase : public Reactor {
 public:
  // There is no reactor that is not one.
  static ReactorBase& of(Reactor& reactor) noexcept { return static_cast<ReactorBase&>(reactor); }

  ~ReactorBase() override;

  // --- The contract ----------------------------------------------------------------------------

  void run() final;
  void stop() final;
  bool stopping() const noexcept final { return stopping_; }
  void iterate(Duration wait) final;
  std::optional<Duration> timeUntilDue() const final;
  bool running() const noexcept final { return running_; }

  TimePoint now() const noexcept final;
  DelayedCall callLater(Duration delay, Callback callback) final;
  void callSoon(Callback callback) final;
  bool callFromThread(Callback callback) final;
  bool callInThread(Callback work) final;
  Remote remote() const noexcept final { return Remote(remote_); }

  TriggerId addSystemEventTrigger(Phase phase, Event event, Callback callback) final;
  bool removeSystemEventTrigger(TriggerId id) final;
  void callWhenRunning(Callback callback) final;
  SignalId onSignal(int signal, SignalCallback callback) final;
  bool removeSignal(SignalId id) noexcept final;
  void stopOnSignals() final;
  void onStopSignals(SignalCallback callback) final;

  Transport& openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                        const SocketAddress& peer) final;
  Listener& openListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) final;
  PendingConnect& openConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler) final;
  Watch& watch(int fd, Interest interest, WatchHandler handler) final;
  void disconnectAll() final;
  Stats stats() const noexcept final;

  // --- For the parts of the runtime ------------------------------------------------------------

  // While one lives, something of the program's is being called: the loop cannot be turned, which
  // would free what calls it.
  class CallOut {
   public:
    explicit CallOut(ReactorBase& reactor) noexcept : count_(reactor.callsOut_) { ++count_; }
    ~CallOut() { --count_; }
    CallOut(const CallOut&) = delete;
    CallOut& operator=(const CallOut&) = delete;

   private:
    unsigned& count_;
  };

  // What a connection holds of what it has received. Give it back empty. May throw std::bad_alloc.
  std::unique_ptr<WriteBuffer> takeHeldInput();
  void giveBack(std::unique_ptr<WriteBuffer> held) noexcept;

  // What is counted as it happens.
  Stats& counters() noexcept { return counters_; }

  const ReactorOptions& options() const noexcept { return options_; }
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
  void writeSoon(LoopObject& object) noexcept;  // Flush it once, at the end of the turn.

  // The same after a pause: the kernel is short of memory.
  void writeLater(LoopObject& object) noexcept;
  void deferToNextTurn(LoopObject& object) noexcept;

 protected:
  explicit ReactorBase(ReactorOptions options);

  // The parts of a turn, in their order. Tests replay them one by one.
  void runCalls();      // Timers that are due, deferred work, calls.
  void flushWriters();  // Each object that wants to write, once.
  virtual void poll(std::optional<Duration> timeout) = 0;  // Wait; run what became ready.
  void reap();  // Frees what was retired and the kernel has let go.

  // What openStream() and its like do, by the family. makeConnect() makes none of a UNIX socket.
  virtual Transport& makeStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                                const SocketAddress& peer) = 0;
  virtual Listener& makeListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) = 0;
  virtual PendingConnect& makeConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                      ConnectHandler handler) = 0;
  virtual Watch& makeWatch(int fd, Interest interest, WatchHandler handler) = 0;

  // Adds what only the family knows of.
  virtual void addStats(Stats& stats) const noexcept = 0;

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

  static constexpr std::size_t kHeldInputsKept = 64;

  void takeThread();
  [[noreturn]] static void refuseThread();
  void requireOwner() const;
  void turn(std::optional<Duration> atMost);
  void end();
  std::optional<Duration> waitTime(std::optional<Duration> atMost) const;
  bool disconnectMore(unsigned& rounds) noexcept;
  bool pollAtEnd() noexcept;
  void closeRemote() noexcept;
  void logFromThread(std::string_view where) noexcept;
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
  ReactorOptions options_;
  Stats counters_;
  IntrusiveList<ReactorObject, InReactor> objects_;
  IntrusiveList<ReactorObject, InReactor> disconnecting_;  // By the disconnectAll() that runs.
  IntrusiveList<ReactorObject, InReactor> retired_;
  IntrusiveList<LoopObject, InDeferred> deferred_;
  std::vector<std::unique_ptr<WriteBuffer>> heldInputs_;  // Not in use.
  std::vector<Trigger> triggers_;
  TriggerId lastTrigger_ = 0;
  std::unique_ptr<SignalWatch> signals_;
  IntrusiveList<LoopObject, InWriters> stalled_;  // Write once the pause is over.
  Timer stallOver_{*this, [this] { writers_.append(stalled_); }};
  std::unique_ptr<ThreadPool> pool_;            // Null before the first call in one.
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
  IntrusiveList<LoopObject, InWriters> writers_;
};

template <class Visit>
void ReactorBase::forEachObject(Visit visit) {
  IntrusiveList<ReactorObject, InReactor> unvisited;
  unvisited.append(objects_);
  while (!unvisited.empty()) {
    ReactorObject& object = unvisited.popFront();
    objects_.pushBack(object);
    visit(object);
  }
}

}  // namespace penstock
