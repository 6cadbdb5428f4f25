// penstock-bench-load: the load of one cell, as one process: `penstock-bench-load REQUEST`. It
// writes "round N" before each round, and at last the results; request and results are JSON.
// SIGTERM ends it after the round that is under way.
#include <penstock/bench/compare/load/drive.h>
#include <penstock/bench/compare/workload.h>

#include <nlohmann/json.hpp>

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

namespace penstock::compare {
namespace {

constexpr int kBadInput = 2;

volatile std::sig_atomic_t enough = 0;

// Before each round, so that who waits sees how far it is.
bool tellRound(unsigned round) {
  if (enough != 0) return false;
  std::printf("round %u\n", round);
  std::fflush(stdout);
  return true;
}

int run(const char* text) {
  const DriveRequest request = driveRequestFromJson(nlohmann::json::parse(text));
  const Workload* workload = findWorkload(request.cell.workload);
  if (workload == nullptr)
    throw std::invalid_argument("no such workload: " + request.cell.workload);
  auto results = nlohmann::json::array();
  for (const LoadResult& result : drive(request, workload->makeLoad, tellRound)) {
    results.push_back(toJson(result));
  }
  std::printf("%s\n", results.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace penstock::compare

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: penstock-bench-load REQUEST (see docs/benchmarks.md)\n");
    return penstock::compare::kBadInput;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { penstock::compare::enough = 1; });
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // Open loops start their messages when they are due.
  try {
    return penstock::compare::run(argv[1]);
  } catch (const std::exception& mistake) {
    std::fprintf(stderr, "penstock-bench-load: %s\n", mistake.what());
    return penstock::compare::kBadInput;
  }
}
