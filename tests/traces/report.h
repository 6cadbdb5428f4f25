// Replays whole files and counts, by family.
#pragma once

#include <penstock/tests/traces/replay.h>

#include <cstddef>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace penstock::traces {

// What one departing note takes away.
struct Shortfall {
  std::size_t traces = 0;  // That it cut short.
  std::size_t steps = 0;   // That were not compared for it.
};

struct FamilyReport {
  std::size_t traces = 0;
  std::size_t steps = 0;
  std::size_t compared = 0;
  std::size_t divergences = 0;
  std::vector<std::string> details;  // Of the first divergences.
  std::map<std::string, Shortfall> departures;

  double shareCompared() const noexcept;
};

class Report {
 public:
  // Throws BadInput, whose text begins with the file and line.
  void replayFile(const std::string& path);

  // Families that we do not have are counted and skipped.
  const FamilyReport& family(const std::string& name) { return families_[name]; }
  std::size_t divergences() const noexcept;
  void print(std::ostream& out) const;

 private:
  static constexpr std::size_t kDetailed = 8;

  void replayLine(const std::string& line);
  void count(const std::string& name, Outcome outcome);

  std::map<std::string, FamilyReport> families_;
  std::map<std::string, std::size_t> skipped_;
};

}  // namespace penstock::traces
