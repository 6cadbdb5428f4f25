// micro_benchmarks: what the parts of the runtime cost, one by one, on Google Benchmark.
//
// Its own flags apply: --benchmark_filter=timer, --benchmark_format=json, --benchmark_out=FILE.
// Exit status 1: a path that must not allocate did, or the command line is wrong.
#include <penstock/bench/micro/allocations.h>

#include <benchmark/benchmark.h>

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return penstock::micro::allocatedWhereForbidden() ? 1 : 0;
}
