// What of a trace Penstock is held to: up to the first step on which it departs from Twisted.
#pragma once

#include <penstock/tests/traces/trace.h>

#include <cstddef>
#include <string>
#include <vector>

namespace penstock::traces {

struct Expectation {
  // The steps that are compared: all, or those before the first departure.
  std::size_t steps = 0;

  // The note of that departure with the id of its quirk; empty if there is none.
  std::string departure;

  // What counts of the recorded effects, of each step; and of connecting.
  std::vector<Effects> effects;
  Effects initialEffects;

  // Whether the input of each step is withheld: it comes after the end of the input.
  std::vector<bool> inputWithheld;
  long kernelReadWithheld = 0;
  long receivedWithheld = 0;

  // Whether the producer is to be paused after each step, where it is a streaming one.
  std::vector<bool> paused;
};

Expectation expectationOf(const Trace& trace);

// The effects that are compared, in their order: details are dropped, `send`s and `submitWrite`s
// reduced to what left and from where, a submission put last (the kernel sees it at the end), and
// with `joinData` neighbouring deliveries added up.
Effects contractOf(const Effects& effects, bool fd, bool joinData);

}  // namespace penstock::traces
