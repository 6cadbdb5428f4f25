// Judgement: whether two engines differ, by the rounds in which both ran.
//
// A machine that does the same work at one speed now and at another in a minute does so to every
// engine. What stays is how they compare within a round, where they ran right after one another. So
// rounds are paired: what is judged is the ratio of two engines in each round.
#pragma once

#include <penstock/bench/compare/run/statistics.h>

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace penstock::compare {

// A figure by round; rounds in which there was none are missing.
using Rounds = std::map<std::size_t, double>;

// Fewer rounds than these claim nothing: with four, two runs of one engine differ the same way in
// every round once in eight times.
inline constexpr std::size_t kFewestRounds = 5;

// How far two engines that do not differ could lie apart; logarithms of ratios.
struct Noise {
  double scatter = 0;          // Of the ratios of single rounds.
  std::optional<double> pair;  // The distance of the A/A pair; none: not known.
};

struct Verdict {
  Estimate ratio;          // The median over the rounds of one / other.
  std::size_t rounds = 0;  // That had both.
  double noiseFloor = 0;   // The logarithm of a ratio.
  bool differ = false;     // The whole interval lies beyond the noise floor, on one side of 1.
};

// None without a round that has both.
std::optional<Verdict> judge(const Rounds& one, const Rounds& other, const Noise& noise,
                             std::uint64_t seed);

// What three quarters of the rounds stay under: how far the ratio of any two of `engines` lies from
// its own median. What they really differ by is not in it. None with fewer than two rounds.
std::optional<double> scatterOf(const std::vector<const Rounds*>& engines);

}  // namespace penstock::compare
