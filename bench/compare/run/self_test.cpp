#include <penstock/bench/compare/run/process.h>
#include <penstock/bench/compare/run/self_test.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <random>

namespace penstock::compare {
namespace {

constexpr const char* kEngine = "penstock-epoll";
constexpr double kSlightly = 0.03;
constexpr double kClearly = 0.10;

// Whatever the profile has time for: 3 % are to be seen where slices repeat to 8 %.
constexpr unsigned kRounds = 320;

bool canBeSlowed(const Cell& cell) {
  return !cell.open() && primaryMetric(cell) == "cpu_us" &&
         findWorkload(cell.workload)->service(cell).name != "splice";
}

Rounds cpuOf(const Sample& sample, const Cell& cell) {
  Rounds rounds;
  for (std::size_t i = 0; i < sample.load.slices.size(); ++i) {
    rounds[i] = metricsOf(*findWorkload(cell.workload), sample.load.slices[i]).at("cpu_us");
  }
  return rounds;
}

Engine slowed(double share) {
  Engine engine = *findEngine(kEngine);
  engine.arguments.insert(engine.arguments.end(), {"--slow", std::to_string(share)});
  return engine;
}

// One cell.
class Trial {
 public:
  Trial(const Plan& plan, const Cell& cell, std::mt19937_64& random)
      : plan_(plan), cell_(cell), random_(random) {}

  SelfTestCell run(const std::function<void()>& onRound) {
    takeTurns(calibrated(), onRound);
    SelfTestCell result{cell_, describe(cell_), {}, {}, {}, {}};
    for (const Sample& sample : samples_) result.fault += sample.fault;
    if (result.fault.empty()) judgeAll(result);
    return result;
  }

 private:
  enum Which { kPlain, kBySlightly, kByClearly, kAgain };

  SampleRequest requestOf(std::vector<const Engine*> engines, unsigned rounds) {
    SampleRequest request;
    request.cell = cell_;
    request.engines = std::move(engines);
    request.rounds = rounds;
    request.seconds = sliceSeconds(plan_, cell_);
    request.seed = random_();
    request.cores = plan_.cores;
    return request;
  }

  // A server that spins finds more ready at once, and so saves some of what it spins: how many
  // times more must it spin for what it is to cost?
  double calibrated() {
    constexpr unsigned kTrialRounds = 80;
    constexpr double kLeast = 0.05;
    constexpr double kMost = 0.15;
    const Engine spinning = slowed(kClearly);
    const auto samples = takeSamples(requestOf({findEngine(kEngine), &spinning}, kTrialRounds));
    const auto verdict = judge(cpuOf(samples[1], cell_), cpuOf(samples[0], cell_), std::nullopt);
    if (!verdict) return 1;
    return kClearly / std::clamp(verdict->ratio.median - 1, kLeast, kMost);
  }

  void takeTurns(double times, const std::function<void()>& onRound) {
    const Engine slightly = slowed(kSlightly * times);
    const Engine clearly = slowed(kClearly * times);
    const std::vector<const Engine*> engines{findEngine(kEngine), &slightly, &clearly,
                                             findEngine(kEngine)};
    samples_.resize(engines.size());
    std::vector<std::size_t> order{kPlain, kBySlightly, kByClearly, kAgain};
    for (unsigned i = 0; i < kSittings && !interrupted(); ++i) {
      std::shuffle(order.begin(), order.end(), random_);
      std::vector<const Engine*> shuffled;
      for (const std::size_t at : order) shuffled.push_back(engines[at]);
      const auto samples = takeSamples(requestOf(shuffled, plan_.rounds / kSittings), onRound);
      for (std::size_t place = 0; place < order.size(); ++place) {
        samples_[order[place]].add(samples[place]);
      }
    }
  }

  void judgeAll(SelfTestCell& result) const {
    const Rounds plain = cpuOf(samples_[kPlain], cell_);
    result.pair = judge(cpuOf(samples_[kAgain], cell_), plain, std::nullopt);
    if (!result.pair) return;
    const double pair = result.pair->ratio.median;
    result.slightly = judge(cpuOf(samples_[kBySlightly], cell_), plain, pair);
    result.clearly = judge(cpuOf(samples_[kByClearly], cell_), plain, pair);
  }

  const Plan& plan_;
  const Cell& cell_;
  std::mt19937_64& random_;
  std::vector<Sample> samples_;
};

}  // namespace

Plan selfTestPlan(const PlanRequest& request) {
  PlanRequest own = request;
  own.engines = {kEngine};
  Plan plan = makePlan(own);
  std::erase_if(plan.cells, [](const Cell& cell) { return !canBeSlowed(cell); });
  if (plan.cells.empty()) throw BadRequest("no cell is left in which a server could be slowed");
  plan.engines = {kEngine, kEngine, kEngine};
  plan.rounds = request.rounds > 0 ? request.rounds : kRounds;
  return plan;
}

SelfTest testSelf(const Plan& plan, const Tell& tell) {
  std::mt19937_64 random(plan.seed);
  SelfTest test{plan.rounds, {}, false};
  Progress progress;
  progress.all = plan.cells.size() * plan.rounds;
  const double each = expectedSeconds(plan) / static_cast<double>(progress.all);
  for (const Cell& cell : plan.cells) {
    progress.now = nameOf(cell);
    if (interrupted()) return test;
    test.cells.push_back(Trial(plan, cell, random).run([&] {
      ++progress.done;
      progress.secondsLeft = each * static_cast<double>(progress.all - progress.done);
      tell(progress);
    }));
  }
  test.complete = !interrupted();
  return test;
}

}  // namespace penstock::compare
