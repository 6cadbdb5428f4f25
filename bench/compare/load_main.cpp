// penstock-bench-load: one load, as one process: `penstock-bench-load REQUEST`, both in JSON.
#include <penstock/bench/compare/workload.h>

#include <nlohmann/json.hpp>

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

namespace penstock::compare {
namespace {

constexpr int kBadInput = 2;

void allowManyDescriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const char* text) {
  const LoadRequest request = requestFromJson(nlohmann::json::parse(text));
  const Workload* workload = findWorkload(request.cell.workload);
  if (workload == nullptr)
    throw std::invalid_argument("no such workload: " + request.cell.workload);
  const auto load = workload->makeLoad(request);
  std::printf("%s\n", toJson(drive(*load, request)).dump().c_str());
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
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // Open loops start their messages when they are due.
  penstock::compare::allowManyDescriptors();
  try {
    return penstock::compare::run(argv[1]);
  } catch (const std::exception& mistake) {
    std::fprintf(stderr, "penstock-bench-load: %s\n", mistake.what());
    return penstock::compare::kBadInput;
  }
}
