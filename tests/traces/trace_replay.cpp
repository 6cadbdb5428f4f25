// trace_replay: replays recordings of Twisted's transports on ours and says where they differ.
#include <penstock/tests/traces/report.h>
#include <penstock/tests/traces/trace.h>

#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr int kDiverged = 1;
constexpr int kBadInput = 2;

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> paths(argv + 1, argv + argc);
  if (paths.empty() || paths.front().starts_with("-")) {
    std::cerr << "usage: trace_replay FILE...   (traces as .jsonl or .jsonl.gz)\n";
    return kBadInput;
  }
  try {
    penstock::traces::Report report;
    for (const std::string& path : paths) report.replayFile(path);
    report.print(std::cout);
    return report.divergences() > 0 ? kDiverged : 0;
  } catch (const penstock::traces::BadInput& error) {
    std::cerr << "trace_replay: " << error.what() << '\n';
    return kBadInput;
  }
}
