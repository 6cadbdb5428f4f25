// Ring: a simulated io_uring. It carries out the submission entries that the library fills.
#pragma once

#include <penstock/sim/buffer_group.h>
#include <penstock/sim/machine.h>
#include <penstock/sim/request.h>

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace penstock::sim {

// Requests wait in flight until what they ask for is possible, and complete into the completion
// queue, or past its end into a backlog that is moved in when there is room.
class Ring final : public File {
 public:
  Ring(Machine& machine, unsigned entries, const io_uring_params& params);

  // Fills in what io_uring_queue_init_params() would.
  void describe(io_uring& ring, io_uring_params& params);

  // A ring set up with IORING_SETUP_R_DISABLED is of no use before.
  int enable() noexcept;
  bool enabled() const noexcept { return enabled_; }

  // Takes at most `count` entries of the submission queue; how many it took.
  unsigned submit(unsigned count);

  // Completes what can be completed.
  void run();

  unsigned completions() const noexcept;
  std::vector<int> realDescriptors() const;
  int registerBuffers(const io_uring_buf_reg& registration);
  int unregisterBuffers(std::uint16_t group);

  // The ring is being closed: a violation if anything is in flight.
  void end();

 private:
  static constexpr unsigned kMostShots = 32;  // Of one multishot request at a time.

  void start(const io_uring_sqe& entry);
  void requireOneSend(const Request& request) const;
  bool mayHold(const Request& request);
  void hold(const std::shared_ptr<Request>& request);
  bool canComplete(const Request& request) const;
  void attempt(Request& request);
  void attemptOnce(Request& request);
  void endCancelled(Request& request);

  void receive(Request& request);
  std::optional<ssize_t> withheld(Socket& socket);
  void receiveSelected(Request& request, Socket& socket);
  void send(Request& request);
  long disturbSend(Socket& socket, std::size_t size);
  void sent(Request& request);
  void notify(Request& request);
  void accept(Request& request);
  void connect(Request& request);
  void read(Request& request);
  void pollAdd(Request& request);
  void startTimeout(const std::shared_ptr<Request>& request);
  void cancel(const io_uring_sqe& entry);
  int cancelOne(const std::shared_ptr<Request>& request);
  bool matches(const Request& request, const io_uring_sqe& cancel) const;

  bool stillMore(const Request& request);
  void post(Request& request, long result, std::uint32_t flags = 0);
  void postCqe(std::uint64_t userData, int result, std::uint32_t flags);
  void countDownTimeouts(const Request& completed);
  void moveBacklog();

  Machine& machine_;
  World& world_;
  bool enabled_;
  std::vector<io_uring_sqe> sqes_;
  std::vector<io_uring_cqe> cqes_;
  unsigned sqHead_ = 0, sqTail_ = 0, sqFlags_ = 0, sqMask_, sqEntries_, sqDropped_ = 0;
  unsigned cqHead_ = 0, cqTail_ = 0, cqFlags_ = 0, cqMask_, cqEntries_, cqOverflow_ = 0;
  std::vector<std::shared_ptr<Request>> inFlight_;
  std::deque<io_uring_cqe> backlog_;
  std::list<BufferGroup> groups_;
};

}  // namespace penstock::sim
