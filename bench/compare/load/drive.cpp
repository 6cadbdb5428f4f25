#include <penstock/bench/compare/load/counters.h>
#include <penstock/bench/compare/load/drive.h>

#include <nlohmann/json.hpp>

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <numeric>
#include <random>

namespace penstock::compare {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr std::int64_t kStallNs = 3'000'000'000;  // No progress for this long: the server hangs.

std::int64_t nsOf(double seconds) { return static_cast<std::int64_t>(seconds * kNsPerSecond); }

std::int64_t realtimeNs() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Runs turns until `endNs`. Throws if nothing moves for kStallNs.
void runUntil(Load& load, std::int64_t endNs) {
  double units = load.units();
  std::int64_t movedNs = monotonicNs();
  for (std::int64_t now = movedNs; now < endNs; now = monotonicNs()) {
    load.turn(endNs);
    if (load.units() != units) movedNs = now;
    units = load.units();
    if (now - movedNs > kStallNs) throw ServerFault("nothing came back for 3 s");
  }
}

// One server and its load.
class Player {
 public:
  Player(const DriveRequest& request, const Target& target, const MakeLoad& make)
      : request_(request), target_(target) {
    guard([&] { load_ = make({request.cell, target, request.ratePerSecond, request.seed}); });
  }

  void connect() {
    guard([this] { load_->connect(); });
  }

  // A server that is traced, or has many connections to accept, needs longer than others.
  void warmUp() {
    guard([this] {
      constexpr std::int64_t kStepNs = 10'000'000;
      constexpr std::int64_t kMostNs = 15'000'000'000;
      const std::int64_t begin = monotonicNs();
      load_->resume();
      runUntil(*load_, begin + nsOf(request_.warmUpSeconds));
      while (!load_->ready() && monotonicNs() < begin + kMostNs) {
        runUntil(*load_, monotonicNs() + kStepNs);
      }
      settle();
    });
  }

  void takeSlice() {
    guard([this] { measure(); });
  }

  // Bytes that a cheap load has not looked at are looked at once more.
  void finish() {
    guard([this] {
      constexpr double kSeconds = 0.01;
      result_.clientCore = ::sched_getcpu();
      result_.socketBytes = kernelMemory().tcpBuffers;
      result_.serverMemory = memoryOf(target_.server);
      result_.kernelBackend = kernelBackendOf(target_.server);
      load_->resume();
      runUntil(*load_, monotonicNs() + nsOf(kSeconds));
      load_->drain();
      load_->finish();
    });
    collect();
  }

  LoadResult takeResult() { return std::move(result_); }

 private:
  // After a fault there is no load any more, and nothing happens.
  template <class Function>
  void guard(Function&& function) noexcept {
    if (!result_.error.empty()) return;
    try {
      function();
    } catch (const WrongBytes& wrong) {
      result_.wrongBytes = wrong.differing();
      fail(wrong.what());
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }

  void fail(const char* why) {
    result_.error = why;
    collect();
  }

  void collect() {
    if (!load_) return;
    result_.totalUnits = load_->units();
    result_.checkedBytes = load_->checkedBytes();
    result_.lateness = load_->lateness();
    result_.extra = load_->extra();
    load_.reset();
  }

  // One that never rests is measured as well, to within a tick of the kernel's clock.
  void settle() {
    constexpr std::int64_t kPatienceNs = 200'000'000;
    load_->drain();
    awaitQuiet(target_.server, kPatienceNs);
  }

  void mark() const {
    if (request_.marksWindow) ::kill(target_.server, SIGUSR1);
  }

  void measure() {
    mark();
    const double unitsBefore = load_->settledUnits();
    const Counters counters(target_.server);
    const Usage before = usageOf(target_.server, request_.serverCore);
    const std::int64_t ownBefore = ownCpuNs();
    result_.openedAtNs = realtimeNs();
    load_->record(true);
    const std::int64_t begin = monotonicNs();
    runSlice(begin);
    const double underWay = load_->underWay();
    load_->drain();
    const std::int64_t end = monotonicNs();
    load_->record(false);
    const std::int64_t own = ownCpuNs() - ownBefore;
    settle();
    const Usage server = usageOf(target_.server, request_.serverCore) - before;
    mark();
    add({load_->settledUnits() - unitsBefore, double(end - begin) / kNsPerSecond, server, own,
         underWay});
    count(counters);
  }

  // Where something else had the cores, or the rate is low, it goes on until something came.
  void runSlice(std::int64_t begin) {
    const double before = load_->units();
    load_->resume();
    runUntil(*load_, begin + nsOf(request_.seconds));
    while (load_->units() <= before && monotonicNs() < begin + kStallNs) {
      runUntil(*load_, monotonicNs() + nsOf(request_.seconds));
    }
  }

  void add(Slice slice) {
    if (slice.units <= 0) throw ServerFault("nothing came back for a slice");
    Histogram& latency = load_->latency();
    slice.p50Ns = latency.percentile(50);
    slice.p99Ns = latency.percentile(99);
    result_.latency.merge(latency);
    latency.clear();
    result_.slices.push_back(std::move(slice));
  }

  void count(const Counters& counters) {
    const auto instructions = counters.instructions();
    const auto cycles = counters.cycles();
    if (instructions) result_.instructions = result_.instructions.value_or(0) + *instructions;
    if (cycles) result_.cycles = result_.cycles.value_or(0) + *cycles;
  }

  const DriveRequest& request_;
  const Target target_;
  std::unique_ptr<Load> load_;
  LoadResult result_;
};

void takeTurns(std::vector<Player>& players, const DriveRequest& request, const GoOn& goOn) {
  std::mt19937_64 random(request.seed);
  std::vector<std::size_t> order(players.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (unsigned round = 0; round < request.rounds && goOn(round); ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t at : order) players[at].takeSlice();
  }
}

}  // namespace

std::vector<LoadResult> drive(const DriveRequest& request, const MakeLoad& make, const GoOn& goOn) {
  std::vector<Player> players;
  for (const Target& target : request.targets) players.emplace_back(request, target, make);
  for (Player& player : players) player.connect();
  for (Player& player : players) player.warmUp();
  takeTurns(players, request, goOn);
  std::vector<LoadResult> results;
  for (Player& player : players) {
    player.finish();
    results.push_back(player.takeResult());
  }
  return results;
}

nlohmann::json toJson(const DriveRequest& request) {
  auto targets = nlohmann::json::array();
  for (const Target& target : request.targets) {
    targets.push_back(
        {{"port", target.port}, {"listen_fd", target.listenFd}, {"server", target.server}});
  }
  return {{"cell", toJson(request.cell)},
          {"targets", std::move(targets)},
          {"server_core", request.serverCore},
          {"rate", request.ratePerSecond},
          {"warm_up_seconds", request.warmUpSeconds},
          {"rounds", request.rounds},
          {"seconds", request.seconds},
          {"seed", request.seed},
          {"marks_window", request.marksWindow}};
}

DriveRequest driveRequestFromJson(const nlohmann::json& json) {
  DriveRequest request;
  request.cell = cellFromJson(json.at("cell"));
  for (const auto& from : json.at("targets")) {
    Target& target = request.targets.emplace_back();
    from.at("port").get_to(target.port);
    from.at("listen_fd").get_to(target.listenFd);
    from.at("server").get_to(target.server);
  }
  json.at("server_core").get_to(request.serverCore);
  json.at("rate").get_to(request.ratePerSecond);
  json.at("warm_up_seconds").get_to(request.warmUpSeconds);
  json.at("rounds").get_to(request.rounds);
  json.at("seconds").get_to(request.seconds);
  json.at("seed").get_to(request.seed);
  json.at("marks_window").get_to(request.marksWindow);
  return request;
}

}  // namespace penstock::compare
