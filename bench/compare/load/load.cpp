#include <penstock/bench/compare/load/counters.h>
#include <penstock/bench/compare/load/load.h>

#include <nlohmann/json.hpp>

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <csignal>

namespace penstock::compare {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr std::int64_t kStallNs = 3'000'000'000;  // No progress for this long: the server hangs.

std::int64_t nsOf(double seconds) { return static_cast<std::int64_t>(seconds * kNsPerSecond); }

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

// A server that is traced, or has many connections to accept, needs longer than others.
void warmUp(Load& load, double seconds) {
  constexpr std::int64_t kStepNs = 10'000'000;
  constexpr std::int64_t kMostNs = 15'000'000'000;
  const std::int64_t begin = monotonicNs();
  runUntil(load, begin + nsOf(seconds));
  while (!load.ready() && monotonicNs() < begin + kMostNs) runUntil(load, monotonicNs() + kStepNs);
}

void markWindow(const LoadRequest& request) {
  if (request.marksWindow) ::kill(request.server, SIGUSR1);
}

std::int64_t realtimeNs() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The unit counts are taken right beside the server's CPU clock, and the slow rest after them.
void measure(Load& load, const LoadRequest& request, LoadResult& result) {
  const Counters counters(request.server);
  const std::int64_t ownBefore = ownCpuNs();
  markWindow(request);
  const double unitsBefore = load.units();
  result.openedAtNs = realtimeNs();
  const Usage before = usageOf(request.server, request.serverCore);
  load.windowOpens();
  load.record(true);

  runUntil(load, before.atNs + nsOf(request.seconds));

  load.record(false);
  const double units = load.units() - unitsBefore;
  const Usage after = usageOf(request.server, request.serverCore);
  markWindow(request);
  result.clientCpuNs = ownCpuNs() - ownBefore;
  result.instructions = counters.instructions();
  result.cycles = counters.cycles();
  load.windowCloses();
  result.server = after - before;
  result.seconds = static_cast<double>(result.server.atNs) / kNsPerSecond;
  result.units = units;
  result.clientCore = ::sched_getcpu();
  result.socketBytes = kernelMemory().tcpBuffers;
  result.serverMemory = memoryOf(request.server);
  result.kernelBackend = kernelBackendOf(request.server);
}

}  // namespace

WrongBytes::WrongBytes(std::uint64_t position, std::uint64_t differing)
    : ServerFault("wrong bytes: " + std::to_string(differing) + " differ, from byte " +
                  std::to_string(position) + " of a connection on"),
      differing_(differing) {}

void requireMatch(const Pattern& pattern, std::uint64_t position, std::uint64_t streamed,
                  const std::byte* bytes, std::size_t count) {
  if (pattern.matches(position, bytes, count)) return;
  throw WrongBytes(streamed, pattern.differing(position, bytes, count));
}

LoadResult drive(Load& load, const LoadRequest& request) noexcept {
  LoadResult result;
  try {
    usageOf(request.server, request.serverCore);  // Looks up what is looked up once.
    load.start();
    warmUp(load, request.warmUpSeconds);
    measure(load, request, result);
    if (result.units <= 0) throw ServerFault("nothing came back in the measured window");
    load.finish();
  } catch (const WrongBytes& wrong) {
    result.wrongBytes = wrong.differing();
    result.error = wrong.what();
  } catch (const std::exception& error) {
    result.error = error.what();
  }
  result.totalUnits = load.units();
  result.checkedBytes = load.checkedBytes();
  result.latency = load.latency();
  result.lateness = load.lateness();
  result.extra = load.extra();
  return result;
}

namespace {

nlohmann::json orNull(const std::optional<std::uint64_t>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

std::optional<std::uint64_t> unlessNull(const nlohmann::json& json) {
  if (json.is_null()) return std::nullopt;
  return json.get<std::uint64_t>();
}

}  // namespace

nlohmann::json toJson(const LoadRequest& request) {
  return {{"cell", toJson(request.cell)},
          {"port", request.port},
          {"listen_fd", request.listenFd},
          {"server", request.server},
          {"server_core", request.serverCore},
          {"rate", request.ratePerSecond},
          {"warm_up_seconds", request.warmUpSeconds},
          {"seconds", request.seconds},
          {"seed", request.seed},
          {"marks_window", request.marksWindow},
          {"client", request.client}};
}

LoadRequest requestFromJson(const nlohmann::json& json) {
  LoadRequest request;
  request.cell = cellFromJson(json.at("cell"));
  json.at("port").get_to(request.port);
  json.at("listen_fd").get_to(request.listenFd);
  json.at("server").get_to(request.server);
  json.at("server_core").get_to(request.serverCore);
  json.at("rate").get_to(request.ratePerSecond);
  json.at("warm_up_seconds").get_to(request.warmUpSeconds);
  json.at("seconds").get_to(request.seconds);
  json.at("seed").get_to(request.seed);
  json.at("marks_window").get_to(request.marksWindow);
  json.at("client").get_to(request.client);
  return request;
}

nlohmann::json toJson(const LoadResult& result) {
  return {{"units", result.units},
          {"total_units", result.totalUnits},
          {"seconds", result.seconds},
          {"opened_at_ns", result.openedAtNs},
          {"client_cpu_ns", result.clientCpuNs},
          {"client_core", result.clientCore},
          {"server", toJson(result.server)},
          {"server_resident", result.serverMemory.resident},
          {"server_peak", result.serverMemory.peak},
          {"socket_bytes", result.socketBytes},
          {"kernel_backend", result.kernelBackend},
          {"instructions", orNull(result.instructions)},
          {"cycles", orNull(result.cycles)},
          {"latency", result.latency.toJson()},
          {"lateness", result.lateness.toJson()},
          {"checked_bytes", result.checkedBytes},
          {"wrong_bytes", result.wrongBytes},
          {"extra", result.extra},
          {"error", result.error}};
}

LoadResult resultFromJson(const nlohmann::json& json) {
  LoadResult result;
  json.at("units").get_to(result.units);
  json.at("total_units").get_to(result.totalUnits);
  json.at("seconds").get_to(result.seconds);
  result.openedAtNs = json.value("opened_at_ns", result.openedAtNs);
  json.at("client_cpu_ns").get_to(result.clientCpuNs);
  json.at("client_core").get_to(result.clientCore);
  result.server = usageFromJson(json.at("server"));
  json.at("server_resident").get_to(result.serverMemory.resident);
  json.at("server_peak").get_to(result.serverMemory.peak);
  json.at("socket_bytes").get_to(result.socketBytes);
  json.at("kernel_backend").get_to(result.kernelBackend);
  result.instructions = unlessNull(json.at("instructions"));
  result.cycles = unlessNull(json.at("cycles"));
  result.latency = Histogram::fromJson(json.at("latency"));
  // Results of before this was measured are read too.
  if (json.contains("lateness")) result.lateness = Histogram::fromJson(json.at("lateness"));
  json.at("checked_bytes").get_to(result.checkedBytes);
  json.at("wrong_bytes").get_to(result.wrongBytes);
  json.at("extra").get_to(result.extra);
  json.at("error").get_to(result.error);
  return result;
}

}  // namespace penstock::compare
