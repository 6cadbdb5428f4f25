#include <penstock/bench/compare/run/engines.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace penstock::compare {
namespace {

namespace fs = std::filesystem;

constexpr const char* kServer = "penstock-bench-server";

std::vector<fs::path> programDirectories() {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  return {own,
          own / "../bench/compare",
          own / "../bench/peers",
          own / "../../bench/compare",
          own / "../../bench/peers",
          own / "../include/penstock/bench/report",
          own / "../../include/penstock/bench/report",
          own / "../libexec/penstock",
          own / "../libexec/penstock/report"};
}

}  // namespace

const std::vector<Engine>& engines() {
  static const std::vector<Engine> all{
      {"penstock-uring", kServer, {"--backend", "uring"}, "io_uring", ""},
      {"penstock-epoll", kServer, {"--backend", "epoll"}, "epoll", ""},
      {"raw-uring", "peer-raw-uring", {}, "io_uring", ""},
      {"raw-epoll", "peer-raw-epoll", {}, "epoll", ""},
      {"raw-splice", "peer-raw-epoll", {"--splice"}, "epoll", "", {"relay"}},
      {"asio", "peer-asio", {}, "epoll", "libasio-dev"},
      {"asio-uring", "peer-asio-uring", {}, "io_uring", "libasio-dev"},
      // From 1.45 on it changes its epoll set through a ring.
      {"libuv", "peer-libuv", {}, "epoll", "libuv1-dev", {}, true},
      {"libevent", "peer-libevent", {}, "epoll", "libevent-dev"},
  };
  return all;
}

bool Engine::serves(const std::string& workload) const {
  return workloads.empty() ||
         std::find(workloads.begin(), workloads.end(), workload) != workloads.end();
}

const Engine* findEngine(std::string_view name) {
  const auto& all = engines();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Engine& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string locateProgram(std::string_view program) {
  const std::string given(program);
  if (given.starts_with('/')) return ::access(given.c_str(), X_OK) == 0 ? given : std::string();
  for (const fs::path& directory : programDirectories()) {
    const fs::path path = (directory / program).lexically_normal();
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string whyUnavailable(const Engine& engine) {
  if (!locateProgram(engine.program).empty()) return {};
  if (engine.package.empty()) return engine.program + " was not built with this program";
  return engine.program + " was not built: apt-get install " + engine.package +
         ", then configure and build again";
}

}  // namespace penstock::compare
