// The self-test: what a run of this kind can see on this machine, by servers that differ by a known
// amount.
#pragma once

#include <penstock/bench/compare/run/campaign.h>
#include <penstock/bench/compare/run/judgement.h>

#include <optional>
#include <string>
#include <vector>

namespace penstock::compare {

// Four servers of one engine took turns: one as it is, one slowed by 3 %, one by 10 %, and once
// more one as it is. Verdicts are against the first, and nothing where a server failed.
struct SelfTestCell {
  Cell cell;
  std::string description;
  std::optional<Verdict> slightly;  // Of the 3 %.
  std::optional<Verdict> clearly;   // Of the 10 %.
  std::optional<Verdict> pair;      // Of the unslowed one.
  std::string fault;
};

struct SelfTest {
  unsigned rounds = 0;  // Of each cell.
  std::vector<SelfTestCell> cells;
  bool complete = false;
};

// The saturated cells of the request that are about CPU and whose bytes come to user space, where a
// server can be slowed. Throws BadRequest as makePlan() does, and if no such cell is left.
Plan selfTestPlan(const PlanRequest& request);

SelfTest testSelf(const Plan& plan, const Tell& tell);

}  // namespace penstock::compare
