#include <penstock/tests/traces/report.h>

#include <penstock/tests/traces/trace_file.h>

#include <iomanip>
#include <ostream>
#include <utility>

namespace penstock::traces {
namespace {

void printFamily(std::ostream& out, const std::string& name, const FamilyReport& family) {
  out << name << ": " << family.traces << " traces, " << family.steps << " steps, "
      << family.compared << " compared (" << std::fixed << std::setprecision(1)
      << 100 * family.shareCompared() << " %), " << family.divergences << " divergences\n";
  for (const auto& [note, shortfall] : family.departures) {
    out << "    " << std::setw(6) << shortfall.traces << " cut short by " << note << ", "
        << shortfall.steps << " steps\n";
  }
  for (const std::string& detail : family.details) out << "  diverges: " << detail << '\n';
  if (family.divergences > family.details.size()) {
    out << "  and " << family.divergences - family.details.size() << " more\n";
  }
}

}  // namespace

double FamilyReport::shareCompared() const noexcept {
  return steps == 0 ? 0 : static_cast<double>(compared) / static_cast<double>(steps);
}

void Report::replayFile(const std::string& path) {
  TraceFile file(path);
  std::size_t lines = 0;
  for (std::string line; file.next(line); ++lines) {
    try {
      replayLine(line);
    } catch (const BadInput& error) {
      throw BadInput(file.position() + ": " + error.what());
    } catch (const Json::exception& error) {
      throw BadInput(file.position() + ": " + error.what());
    }
  }
  if (lines == 0) throw BadInput(path + ": there are no traces in it");
}

void Report::replayLine(const std::string& line) {
  const Trace trace = parseTrace(line);
  if (!canReplay(trace.family)) {
    ++skipped_[trace.family];
    return;
  }
  count(trace.family, replay(trace));
}

void Report::count(const std::string& name, Outcome outcome) {
  FamilyReport& family = families_[name];
  ++family.traces;
  family.steps += outcome.steps;
  family.compared += outcome.compared;
  if (!outcome.divergence) {
    if (outcome.departure.empty()) return;
    Shortfall& shortfall = family.departures[outcome.departure];
    ++shortfall.traces;
    shortfall.steps += outcome.steps - outcome.compared;
    return;
  }
  ++family.divergences;
  if (family.details.size() < kDetailed) family.details.push_back(std::move(*outcome.divergence));
}

std::size_t Report::divergences() const noexcept {
  std::size_t sum = 0;
  for (const auto& [name, family] : families_) sum += family.divergences;
  return sum;
}

void Report::print(std::ostream& out) const {
  for (const auto& [name, family] : families_) printFamily(out, name, family);
  for (const auto& [name, count] : skipped_) {
    out << name << ": " << count << " traces skipped: ";
    out << (name == "fh" ? "quirk W1 is mended here, fhx is compared instead"
                         : "this build has no io_uring");
    out << '\n';
  }
}

}  // namespace penstock::traces
