// Judgement: what the rounds say of two engines that took turns in them.
//
// A machine that does the same work at one speed now and at another in a minute does so to every
// engine. What stays is how they compare within a round, where they ran right after one another. So
// rounds are paired: what is judged is the ratio of two engines in each round.
#pragma once

#include <penstock/bench/compare/run/statistics.h>

#include <cstddef>
#include <map>
#include <optional>

namespace penstock::compare {

// A figure by round; rounds in which there was none are missing.
using Rounds = std::map<std::size_t, double>;

// With fewer rounds than these there is no 95 % interval, and nothing is said.
inline constexpr std::size_t kFewestRounds = 6;

// Over which the rounds are spread, in equal parts, each with new servers.
inline constexpr unsigned kSittings = 3;

enum class Word {
  kLess,      // The whole interval lies below 1, by more than could be nothing.
  kMore,      // The same above.
  kSame,      // The whole interval lies within a few per cent of 1.
  kNotApart,  // Neither.
};

struct Verdict {
  Estimate ratio;          // The median over the rounds of one / other.
  std::size_t rounds = 0;  // That had both.
  Word word = Word::kNotApart;
  int within = 0;  // Per cent, of kSame.
  // The smallest difference that could have been told apart: 0.012 is 1.2 %. Not known with too
  // few rounds.
  std::optional<double> sees{};
};

// `pair` is the ratio of the A/A pair, of two servers that do not differ: what differs by no more
// than they do is not told apart. None: not known, or this is the pair. Nothing without a round
// that has both.
std::optional<Verdict> judge(const Rounds& one, const Rounds& other, std::optional<double> pair);

// The same of figures that repeat so well that each was taken once, as memory: the interval is what
// the A/A pair differs by, and at least 5 %.
Verdict judgeOnce(double one, double other, std::optional<double> pair);

// What the interval of a ratio says, if ratios that lie within `floor` (a logarithm) of 1 may be
// nothing.
void judgeInterval(double floor, Verdict& verdict);

}  // namespace penstock::compare
