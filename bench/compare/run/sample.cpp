#include <penstock/bench/compare/load/drive.h>
#include <penstock/bench/compare/run/sample.h>
#include <penstock/bench/compare/run/server.h>
#include <penstock/runtime/errors.h>

#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <memory>

namespace penstock::compare {
namespace {

using std::chrono_literals::operator""s;
using std::chrono::milliseconds;

// Beyond its own time a load generator connects, checks and clears up; more than this and it hangs.
constexpr auto kLoadGrace = 30s;

// A socket that listens for a relay's connections before the relay is told of it.
struct CallBack {
  OwnedFd fd;
  std::uint16_t port = 0;
};

CallBack listenForCallBack() {
  CallBack callBack{OwnedFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(callBack.fd.get(), address, length) < 0 ||
      ::listen(callBack.fd.get(), SOMAXCONN) < 0 ||
      ::getsockname(callBack.fd.get(), address, &length) < 0) {
    throwErrno(-errno, "listening for the relay");
  }
  callBack.port = ntohs(at.sin_port);
  return callBack;
}

// One engine's server and what comes of it.
struct Contestant {
  Sample sample;
  CallBack callBack;
  std::unique_ptr<Server> server;

  Target target() const { return {server->port(), callBack.fd.get(), server->pid()}; }
};

void start(const SampleRequest& request, const Engine& engine, Contestant& contestant) {
  const Workload& workload = *findWorkload(request.cell.workload);
  if (workload.service(request.cell).callsBack) contestant.callBack = listenForCallBack();
  contestant.server =
      std::make_unique<Server>(engine, workload, request.cell, request.cores.server,
                               contestant.callBack.port, request.prefix, request.counts);
  contestant.sample.version = contestant.server->version();
  contestant.sample.printedBackend = contestant.server->printedBackend();
}

std::vector<Contestant> startAll(const SampleRequest& request) {
  std::vector<Contestant> contestants(request.engines.size());
  for (std::size_t i = 0; i < contestants.size(); ++i) {
    Sample& sample = contestants[i].sample;
    try {
      start(request, *request.engines[i], contestants[i]);
    } catch (const NotServed& why) {
      sample.notServed = true;
      sample.fault = why.what();
    } catch (const std::exception& why) {
      sample.fault = why.what();
    }
  }
  return contestants;
}

DriveRequest driveRequestOf(const SampleRequest& request,
                            const std::vector<Contestant*>& contestants) {
  DriveRequest drive;
  drive.cell = request.cell;
  for (const Contestant* contestant : contestants) drive.targets.push_back(contestant->target());
  drive.serverCore = request.cores.server;
  drive.ratePerSecond = request.ratePerSecond;
  drive.warmUpSeconds = request.warmUpSeconds;
  drive.rounds = request.rounds;
  drive.seconds = request.seconds;
  drive.seed = request.seed;
  drive.marksWindow = request.counts && request.engines.front()->isPenstock();
  return drive;
}

// More than all turns of all servers can take, were each to wait for its rest as long as it may.
milliseconds limitOf(const DriveRequest& drive) {
  constexpr double kRest = 0.3;
  const double each = drive.warmUpSeconds + drive.rounds * (drive.seconds + kRest);
  const std::chrono::duration<double> all(each * static_cast<double>(drive.targets.size()));
  return kLoadGrace + std::chrono::duration_cast<milliseconds>(all);
}

// The line with the results, which follows those of the rounds. Interrupted, the load generator is
// asked to come to an end, and gives what it has.
std::string resultLine(Process& process, milliseconds limit, const std::function<void()>& onRound) {
  bool asked = false;
  for (;;) {
    auto line = process.readLine(limit, asked);
    if (!line && interrupted() && !asked) {
      asked = true;
      process.signal(SIGTERM);
    } else if (!line) {
      const std::string ending = process.wait(0s);
      const std::string said = process.errorLine();
      throw std::runtime_error("the load generator failed: " + (said.empty() ? ending : said));
    } else if (line->starts_with('[')) {
      return *line;
    } else if (onRound) {
      onRound();
    }
  }
}

std::vector<LoadResult> runLoad(const SampleRequest& request, const DriveRequest& drive,
                                const std::function<void()>& onRound) {
  std::vector<int> inherited;
  for (const Target& target : drive.targets) {
    if (target.listenFd >= 0) inherited.push_back(target.listenFd);
  }
  Process process({locateProgram("penstock-bench-load"), toJson(drive).dump()},
                  {.core = request.cores.client, .inherited = inherited});
  std::vector<LoadResult> results;
  const std::string line = resultLine(process, limitOf(drive), onRound);
  for (const auto& result : nlohmann::json::parse(line)) results.push_back(resultFromJson(result));
  process.wait(kLoadGrace);
  return results;
}

void loadAll(const SampleRequest& request, std::vector<Contestant>& contestants,
             const std::function<void()>& onRound) {
  std::vector<Contestant*> ready;
  for (Contestant& each : contestants) {
    if (each.server) ready.push_back(&each);
  }
  if (ready.empty()) return;
  try {
    const auto results = runLoad(request, driveRequestOf(request, ready), onRound);
    for (std::size_t i = 0; i < ready.size(); ++i) {
      ready[i]->sample.load = results.at(i);
      ready[i]->sample.fault = results.at(i).error;
    }
  } catch (const std::exception& why) {
    for (Contestant* each : ready) each->sample.fault = why.what();
  }
}

void stop(Contestant& contestant) {
  if (!contestant.server) return;
  const std::string ending = contestant.server->stop();
  contestant.sample.lastLine = contestant.server->lastLine();
  if (!ending.empty()) contestant.sample.fault = ending;
}

}  // namespace

std::vector<Sample> takeSamples(const SampleRequest& request,
                                const std::function<void()>& onRound) {
  if (findWorkload(request.cell.workload) == nullptr) {
    throw std::logic_error("no such workload: " + request.cell.workload);
  }
  std::vector<Contestant> contestants = startAll(request);
  loadAll(request, contestants, onRound);
  std::vector<Sample> samples;
  for (Contestant& contestant : contestants) {
    stop(contestant);
    samples.push_back(std::move(contestant.sample));
  }
  return samples;
}

void Sample::add(const Sample& other) {
  if (!fault.empty()) return;  // One that failed is not trusted again.
  version = other.version;
  printedBackend = other.printedBackend;
  fault = other.fault;
  notServed = other.notServed;
  load.add(other.load);
}

nlohmann::json toJson(const Sample& sample) {
  return {{"load", toJson(sample.load)},
          {"version", sample.version},
          {"printed_backend", sample.printedBackend},
          {"fault", sample.fault},
          {"not_served", sample.notServed}};
}

Sample sampleFromJson(const nlohmann::json& json) {
  Sample sample;
  sample.load = resultFromJson(json.at("load"));
  json.at("version").get_to(sample.version);
  json.at("printed_backend").get_to(sample.printedBackend);
  json.at("fault").get_to(sample.fault);
  json.at("not_served").get_to(sample.notServed);
  return sample;
}

}  // namespace penstock::compare
