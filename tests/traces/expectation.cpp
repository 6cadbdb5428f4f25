#include <penstock/tests/traces/expectation.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

namespace penstock::traces {
namespace {

struct Departure {
  std::string_view note;
  std::string_view quirk;
};

// Where Penstock does otherwise than Twisted, chosen once, with what users gain by it.
constexpr std::array kDepartures{
    // Pausing counts what is not sent yet, not what has left already.
    Departure{"pause-counts-sent-bytes", "W7"},
    // The reason of a clean end is never null.
    Departure{"reason-none", "W5"},
    // A paused transport delivers nothing: data and the end are held until it is resumed.
    Departure{"data-while-paused", "R1"},
    Departure{"eof-while-paused", "R2"},
    // After loseConnection nothing is delivered, and the promised flush happens.
    Departure{"data-after-loseConnection", "R3"},
    Departure{"eof-while-closing", "R3"},
    // An exception from a callback loses the connection at once, wherever it was thrown.
    Departure{"exception-in-completion", "R4"},
    Departure{"exception-in-timed-call", "R5"},
    Departure{"data-repeated", "R5"},
    // An abort has the last word.
    Departure{"abort-overtaken", "A1"},
    Departure{"data-after-abort", "A2"},
    Departure{"resume-after-abort", "A4"},
    // connectionLost is entered once and stops the producer once.
    Departure{"stop-while-stopped", "A5"},
    // registerProducer clears the paused flag: a resume only ever balances a pause.
    Departure{"resume-while-running", "C1"},
    // loseConnection waits for the registered producer, as ITransport promises.
    Departure{"closed-under-producer", "C2"},
    // Calls on a dead transport do nothing.
    Departure{"os-call-after-close", "C4"},
    // unregisterProducer lets a pending half-close proceed.
    Departure{"half-close-stalled", "C5"},
};

// These have no note in the recordings and are told by what was recorded.
constexpr Departure kInputAfterEnd{"input-after-end", "R9"};         // The end is reported once.
constexpr Departure kPauseScript{"pause-while-paused", "C3"};        // A pause once per crossing.
constexpr Departure kDeadTransport{"call-on-dead-transport", "C4"};  // It does nothing.
constexpr Departure kEmptySequence{"empty-sequence", "C8"};          // It is like no write at all.
constexpr Departure kLossLeftHalfDone{"loss-left-half-done", "A5"};  // It is always finished.
constexpr Departure kHalfCloseTwice{"half-close-twice", "C15"};      // It is carried out once.

bool hasNote(const Step& step, std::string_view note) {
  return std::ranges::find(step.notes, note) != step.notes.end();
}

bool isEffect(const Effect& effect, std::string_view name) { return effect[0] == name; }

bool isShutdown(const Effect& effect) {
  return isEffect(effect, "shutdown") && effect.at(1) == "write";
}

const std::set<std::string_view> kComparedAsTheyAre{
    "pauseProducing",
    "resumeProducing",
    "stopProducing",
    "dataReceived",
    "readConnectionLost",
    "writeConnectionLost",
    "connectionLost",
    "raised",
    "logged",
    "setLingerZero",
    "send",
    "submitWrite",
};

// What the recordings of Twisted say in more words than the replay.
std::optional<Effect> reduced(const Effect& effect, bool fd) {
  if (isEffect(effect, "send") && effect.size() == 4) {
    if (!effect[3].is_number() || effect[3] == 0) return std::nullopt;
    return Effect{"send", effect[1], effect[3]};
  }
  if (isEffect(effect, "submitWrite") && effect.size() > 2) {
    if (effect.size() == 4 || effect[2] == 0) return std::nullopt;
    return Effect{"submitWrite", effect[1]};
  }
  if (isShutdown(effect)) return effect;
  if (isEffect(effect, "close")) return fd ? std::optional(effect) : std::nullopt;
  // What the replay itself has to complain of has no name in the recordings, and is kept.
  if (kComparedAsTheyAre.contains(effect[0].get_ref<const std::string&>())) return effect;
  return isEffect(effect, "complaint") ? std::optional(effect) : std::nullopt;
}

// Walks a trace from its start and keeps what a step alone does not tell.
class Walk {
 public:
  explicit Walk(const Trace& trace) : trace_(trace), state_(trace.initialState) {}

  // The departure that `step` shows, if any; else takes the step.
  std::optional<Departure> take(const Step& step) {
    std::optional<Departure> departure = noted(step);
    if (!departure) departure = unnoted(step);
    if (!departure) departure = followPauses(step);
    if (!departure) departure = followEmptySequence(step);
    state_ = step.state;
    return departure;
  }

  Effects withoutRepeats(const Step& step) const {
    Effects effects;
    for (std::size_t i = 0; i < step.effects.size(); ++i) {
      if (!repeats_.contains(i)) effects.push_back(step.effects[i]);
    }
    return effects;
  }

  bool paused(int producer) const {
    const auto found = paused_.find(producer);
    return found != paused_.end() && found->second;
  }

  std::map<int, std::vector<std::size_t>> takePauseCalls() { return std::move(pauseCalls_); }

 private:
  static std::optional<Departure> noted(const Step& step) {
    for (const Departure& departure : kDepartures) {
      if (hasNote(step, departure.note)) return departure;
    }
    return std::nullopt;
  }

  std::optional<Departure> unnoted(const Step& step) {
    const bool wasDead = state_[kDisconnected];
    const bool halfClosesDead =
        wasDead && step.state[kWriteDisconnecting] && !state_[kWriteDisconnecting];
    const bool connectsDead = step.state[kConnected] && step.state[kDisconnected];
    if (halfClosesDead || connectsDead) return kDeadTransport;
    if (step.state[kDisconnected] && step.state[kProducer] != 0) return kLossLeftHalfDone;
    for (const Effect& effect : step.effects) {
      if (isShutdown(effect) && state_[kWriteDisconnected]) return kHalfCloseTwice;
      const bool end = isEffect(effect, "readConnectionLost");
      if (inputEnded_ && (end || isEffect(effect, "dataReceived"))) return kInputAfterEnd;
      inputEnded_ |= end;
    }
    return std::nullopt;
  }

  // A producer that is paused already is not paused again. Where its script would have done
  // something then, the ways part.
  std::optional<Departure> followPauses(const Step& step) {
    repeats_.clear();
    for (std::size_t i = 0; i < step.effects.size(); ++i) {
      const Effect& effect = step.effects[i];
      if (isEffect(effect, "resumeProducing")) paused_[effect.at(1)] = false;
      if (!isEffect(effect, "pauseProducing")) continue;
      const int id = effect.at(1);
      const std::size_t call = pausesSeen_[id]++;
      if (!std::exchange(paused_[id], true)) {
        pauseCalls_[id].push_back(call);
        continue;
      }
      const auto plan = trace_.producers.find(id);
      if (plan == trace_.producers.end()) throw BadInput("an effect names an unknown producer");
      const Script& script = plan->second->pause;
      if (call < script.size() && !script[call].empty()) return kPauseScript;
      repeats_.insert(i);
    }
    return std::nullopt;
  }

  // A writeSequence of empty chunks makes Twisted ask for writability, and on fhx send nothing,
  // with which it is busy for a while; and it pauses a producer that came to a full buffer. It
  // counts only if something comes of it.
  std::optional<Departure> followEmptySequence(const Step& step) {
    if (isEmptySequence(step)) {
      askedForNothing_ |= !state_[kWriting] && step.state[kWriting];
      const bool pauses = std::ranges::any_of(withoutRepeats(step), [](const Effect& effect) {
        return isEffect(effect, "pauseProducing");
      });
      return pauses ? std::optional(kEmptySequence) : std::nullopt;
    }
    if (!askedForNothing_) return std::nullopt;
    for (const Effect& effect : step.effects) {
      if (isEffect(effect, "submitWrite")) sendsNothing_ = effect.at(2) == 0;
    }
    const bool done = !step.state[kWriting];
    const bool ownReason = hasOwnReason(step);
    const bool follows = done && (resumes(step) || step.state[kDisconnected]);
    const bool departs = follows || (sendsNothing_ && ownReason);
    if (done || ownReason) askedForNothing_ = sendsNothing_ = false;
    return departs ? std::optional(kEmptySequence) : std::nullopt;
  }

  static bool isEmptySequence(const Step& step) {
    if (!step.action || step.action->kind != Action::Kind::kWriteSequence) return false;
    const std::vector<std::size_t>& sizes = step.action->sizes;
    return !sizes.empty() && std::ranges::count(sizes, 0U) == std::ssize(sizes);
  }

  static bool resumes(const Step& step) {
    return std::ranges::any_of(
        step.effects, [](const Effect& effect) { return isEffect(effect, "resumeProducing"); });
  }

  // Something that makes Penstock write in this step, too.
  bool hasOwnReason(const Step& step) const {
    const bool writes = step.state[kBuffered] > state_[kBuffered];
    const bool closes = step.state[kDisconnecting] > state_[kDisconnecting];
    const bool halfCloses = step.state[kWriteDisconnecting] > state_[kWriteDisconnecting];
    const bool unregisters = step.state[kDisconnecting] && state_[kProducer] &&
                             step.state[kProducer] != state_[kProducer];
    return writes || closes || halfCloses || unregisters;
  }

  const Trace& trace_;
  State state_;
  bool inputEnded_ = false;
  bool askedForNothing_ = false;
  bool sendsNothing_ = false;
  std::map<int, bool> paused_;
  std::map<int, std::size_t> pausesSeen_;
  std::map<int, std::vector<std::size_t>> pauseCalls_;
  std::set<std::size_t> repeats_;  // Of the last step: the effects that are left out.
};

}  // namespace

Effects contractOf(const Effects& effects, bool fd, bool joinData) {
  Effects kept;
  std::optional<Effect> submitted;
  for (const Effect& effect : effects) {
    std::optional<Effect> part = reduced(effect, fd);
    if (!part) continue;
    if (isEffect(*part, "submitWrite")) {
      submitted = std::move(part);
      continue;
    }
    const bool joins = joinData && !kept.empty() && isEffect(*part, "dataReceived") &&
                       isEffect(kept.back(), "dataReceived") && part->size() == 2 &&
                       kept.back().size() == 2;
    if (joins) {
      kept.back()[1] = kept.back()[1].get<long>() + part->at(1).get<long>();
    } else {
      kept.push_back(std::move(*part));
    }
  }
  if (submitted) kept.push_back(std::move(*submitted));
  return kept;
}

Expectation expectationOf(const Trace& trace) {
  const bool fd = trace.family == "fd";
  const bool joinData = !fd && !trace.config.scriptsData;
  Expectation expected;
  expected.initialEffects = contractOf(trace.initialEffects, fd, joinData);
  Walk walk(trace);
  for (const Step& step : trace.steps) {
    if (const auto departure = walk.take(step)) {
      expected.departure =
          std::string(departure->note) + " (" + std::string(departure->quirk) + ")";
      break;
    }
    expected.effects.push_back(contractOf(walk.withoutRepeats(step), fd, joinData));
    expected.paused.push_back(step.state[kProducerPaused] &&
                              walk.paused(static_cast<int>(step.state[kProducer])));
    ++expected.steps;
  }
  expected.pauseCalls = walk.takePauseCalls();
  return expected;
}

}  // namespace penstock::traces
