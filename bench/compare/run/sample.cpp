#include <penstock/bench/compare/run/sample.h>
#include <penstock/runtime/errors.h>

#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace penstock::compare {
namespace {

using std::chrono_literals::operator""s;

// Beyond its own time a load generator connects, checks and clears up; more than this and it hangs.
constexpr auto kLoadGrace = 20s;

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

LoadRequest loadRequestOf(const SampleRequest& request, const Server& server, int listenFd) {
  LoadRequest load;
  load.cell = request.cell;
  load.port = server.port();
  load.listenFd = listenFd;
  load.server = server.pid();
  load.serverCore = request.cores.server;
  load.ratePerSecond = request.ratePerSecond;
  load.warmUpSeconds = request.warmUpSeconds;
  load.seconds = request.seconds;
  load.seed = request.seed;
  load.client = request.client;
  load.marksWindow = request.counts && request.engine->isPenstock();
  return load;
}

LoadResult runLoad(const SampleRequest& request, const LoadRequest& load) {
  Process process({locateProgram("penstock-bench-load"), toJson(load).dump()},
                  {.core = request.cores.client, .inheritFd = load.listenFd});
  const auto limit = kLoadGrace + std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::duration<double>(load.seconds));
  const auto line = process.readLine(limit);
  if (!line) {
    const std::string ending = process.wait(0s);
    const std::string said = process.errorLine();
    throw std::runtime_error("the load generator failed: " + (said.empty() ? ending : said));
  }
  LoadResult result = resultFromJson(nlohmann::json::parse(*line));
  process.wait(kLoadGrace);
  return result;
}

void measure(const SampleRequest& request, const Workload& workload, Sample& sample) {
  CallBack callBack;
  if (workload.service(request.cell).callsBack) callBack = listenForCallBack();
  Server server(*request.engine, workload, request.cell, request.cores.server, callBack.port,
                request.prefix, request.counts);
  sample.version = server.version();
  sample.printedBackend = server.printedBackend();
  sample.load = runLoad(request, loadRequestOf(request, server, callBack.fd.get()));
  sample.fault = sample.load.error;
  const std::string ending = server.stop();
  sample.lastLine = server.lastLine();
  if (!ending.empty()) sample.fault = ending;
}

}  // namespace

Sample takeSample(const SampleRequest& request) {
  const Workload* workload = findWorkload(request.cell.workload);
  if (workload == nullptr) throw std::logic_error("no such workload: " + request.cell.workload);
  Sample sample;
  try {
    measure(request, *workload, sample);
  } catch (const NotServed& why) {
    sample.notServed = true;
    sample.fault = why.what();
  } catch (const std::exception& why) {
    sample.fault = why.what();
  }
  return sample;
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
