// penstock-bench-server: the library's side of every workload, on the backend that is asked for.
#include <penstock/bench/compare/call_counts.h>
#include <penstock/bench/compare/spin.h>
#include <penstock/bench/compare/workload.h>
#include <penstock/runtime/backends.h>
#include <penstock/transports/address.h>
#include <penstock/transports/tcp.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdio>
#include <string>

namespace penstock::compare {
namespace {

constexpr int kBadInput = 2;

struct ServerOptions {
  std::string backend = "auto";
  std::string workload;
  std::uint16_t port = 0;
  bool count = false;
  double slowBy = 0;
  ServiceOptions service;
};

// The kernel's name of it, which /proc shows too.
const char* kernelNameOf(Backend backend) {
  return backend == Backend::kUring ? "io_uring" : "epoll";
}

void serve(const ServerOptions& options) {
  const MakeService* make = findService(options.workload);
  if (make == nullptr) throw std::invalid_argument("no such workload: " + options.workload);
  if (options.count) startCountingCalls();
  Spin::slowDown(options.slowBy);
  const auto reactor = Reactor::create({
      .backend = backendNamed(options.backend),
      .environmentDecides = true,  // Who compares finds out what really ran.
  });
  reactor->stopOnSignals();
  const Listener& listener =
      listenTcp(*reactor, Address::loopback(options.port), (*make)(*reactor, options.service));
  const unsigned port = getHost(listener).port();
  std::printf("ready port=%u engine=penstock-%s version=%s backend=%s\n", port,
              std::string(nameOf(reactor->backend())).c_str(), PENSTOCK_VERSION,
              kernelNameOf(reactor->backend()));
  std::fflush(stdout);
  reactor->run();
  if (options.count) std::printf("counted %s\n", toJson(callCounts()).dump().c_str());
}

void addOptions(CLI::App& app, ServerOptions& options) {
  app.add_option("--backend", options.backend, "uring, epoll or auto");
  app.add_option("--workload", options.workload, "what to serve")->required();
  app.add_option("--port", options.port, "on 127.0.0.1; 0: any that is free");
  app.add_option("--size", options.service.size, "bytes of a message")->check(CLI::PositiveNumber);
  app.add_option("--to", options.service.to, "where a relay connects to, ADDRESS:PORT");
  app.add_flag("--count", options.count, "count batches, short writes and full queues");
  app.add_option("--slow", options.slowBy, "spin for this share of the CPU that it uses: 0.03");
  app.add_option("--work-us", options.service.workUs, "busy time for each message");
}

int run(int argc, char** argv) {
  CLI::App app("The servers that `penstock compare` measures.", "penstock-bench-server");
  ServerOptions options;
  addOptions(app, options);
  try {
    app.parse(argc, argv);
    serve(options);
    return 0;
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const std::exception& mistake) {
    std::fprintf(stderr, "penstock-bench-server: %s\n", mistake.what());
    return kBadInput;
  }
}

}  // namespace
}  // namespace penstock::compare

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return penstock::compare::run(argc, argv);
}
