#include <penstock/tests/traces/expectation.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

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
constexpr Departure kHalfCloseStalled = kDepartures.back();

// These have no note in the recordings and are told by what was recorded.
constexpr Departure kInputAfterEnd{"input-after-end", "R9"};         // The end is reported once.
constexpr Departure kDeadTransport{"call-on-dead-transport", "C4"};  // It does nothing.
constexpr Departure kEmptySequence{"empty-sequence", "C8"};          // It is like no write at all.
constexpr Departure kLossLeftHalfDone{"loss-left-half-done", "A5"};  // It is always finished.
// It waits for the producer, as ITCPTransport promises.
constexpr Departure kHalfCloseUnderProducer{"half-closed-under-producer", "C16"};
constexpr Departure kHalfCloseTwice{"half-close-twice", "C15"};  // It is carried out once.

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
    dropped_.clear();
    std::optional<Departure> departure = noted(step);
    if (!departure) departure = unnoted(step);
    if (!departure) departure = followInput(step);
    followPauses(step);
    if (!departure) departure = followIdleWriting(step);
    state_ = step.state;
    return departure;
  }

  // The effects of the step that was taken last, without those that are not to be expected.
  Effects expectedOf(const Step& step) const {
    Effects effects;
    for (std::size_t i = 0; i < step.effects.size(); ++i) {
      if (!dropped_.contains(i)) effects.push_back(step.effects[i]);
    }
    return effects;
  }

  bool withholdsInput() const noexcept { return withholdsInput_; }
  long kernelReadWithheld() const noexcept { return kernelReadWithheld_; }
  long receivedWithheld() const noexcept { return receivedWithheld_; }

  bool paused(int producer) const {
    const auto found = paused_.find(producer);
    return found != paused_.end() && found->second;
  }

 private:
  static std::optional<Departure> noted(const Step& step) {
    for (const Departure& departure : kDepartures) {
      if (hasNote(step, departure.note)) return departure;
    }
    return std::nullopt;
  }

  std::optional<Departure> unnoted(const Step& step) const {
    const bool halfClosesDead =
        state_[kDisconnected] && step.state[kWriteDisconnecting] && !state_[kWriteDisconnecting];
    const bool connectsDead = step.state[kConnected] && step.state[kDisconnected];
    if (halfClosesDead || connectsDead) return kDeadTransport;
    if (step.state[kDisconnected] && step.state[kProducer] != 0) return kLossLeftHalfDone;
    if (stallsHalfClose(step)) return kHalfCloseStalled;
    const bool halfCloses = std::ranges::any_of(step.effects, isShutdown);
    if (halfCloses && (state_[kProducer] != 0 || step.state[kProducer] != 0)) {
      return kHalfCloseUnderProducer;
    }
    return std::nullopt;
  }

  // What comes after the end of the input, for an application that resumed reading, is dropped.
  // Where something else would have followed from it, the ways part.
  std::optional<Departure> followInput(const Step& step) {
    withholdsInput_ = inputEnded_ && withholdsReads(step);
    if (withholdsInput_ && has(step.effects, "connectionLost")) return kInputAfterEnd;
    for (std::size_t i = 0; i < step.effects.size(); ++i) {
      const Effect& effect = step.effects[i];
      const bool data = isEffect(effect, "dataReceived");
      const bool end = isEffect(effect, "readConnectionLost");
      if (!data && !end) continue;
      const bool scripted = data ? actsAt(trace_.config.onData, dataCalls_++)
                                 : actsAt(trace_.config.onReadLost, endCalls_++);
      if (!inputEnded_) {
        inputEnded_ = end;
        continue;
      }
      if (scripted) return kInputAfterEnd;
      if (data) receivedWithheld_ += effect.at(1).get<long>();
      withholdsInput_ = true;
      dropped_.insert(i);
    }
    return std::nullopt;
  }

  // Adds up what the kernel read in `step`; says whether a read has ended that is not made here.
  bool withholdsReads(const Step& step) {
    bool ended = false;
    for (const Effect& effect : step.effects) {
      if (isEffect(effect, "submitRead") && effect.back() == "refused") ended = true;
      const bool completed = isEffect(effect, "complete") && effect.at(1) == "read";
      const bool received = completed || isEffect(effect, "recv");
      if (received && effect.back().is_number()) kernelReadWithheld_ += effect.back().get<long>();
      ended |= completed;
    }
    return ended;
  }

  // A producer has left while a half-close was due, and Twisted does not go about it.
  bool stallsHalfClose(const Step& step) const {
    const bool left = state_[kProducer] != 0 && state_[kProducer] != step.state[kProducer];
    const bool due = step.state[kConnected] && step.state[kWriteDisconnecting] &&
                     !step.state[kWriteDisconnected] && step.state[kBuffered] == 0;
    return left && due && !step.state[kWriting];
  }

  static bool actsAt(const Script& script, std::size_t call) {
    return call < script.size() && !script[call].empty();
  }

  // A producer that is paused already is not told to pause again (C3).
  void followPauses(const Step& step) {
    for (std::size_t i = 0; i < step.effects.size(); ++i) {
      const Effect& effect = step.effects[i];
      if (isEffect(effect, "resumeProducing")) paused_[effect.at(1)] = false;
      if (!isEffect(effect, "pauseProducing")) continue;
      if (std::exchange(paused_[effect.at(1)], true)) dropped_.insert(i);
    }
  }

  // Twisted asks for writability, or sends nothing and is busy with that for a while, for a
  // writeSequence of empty chunks and for a half-close that was carried out already. It counts only
  // if something comes of it: a pull producer is asked, or something else is held up.
  std::optional<Departure> followIdleWriting(const Step& step) {
    const bool starts = !state_[kWriting] && step.state[kWriting];
    if (isEmptySequence(step)) {
      if (starts) idle_ = kEmptySequence;
      return has(expectedOf(step), "pauseProducing") ? std::optional(kEmptySequence) : std::nullopt;
    }
    if (starts && state_[kWriteDisconnected]) idle_ = kHalfCloseTwice;
    if (!idle_) return std::nullopt;
    const bool carriedOut = carriesOutIdleWriting(step);
    const bool counts = carriedOut ? comesToSomething(step) : sendsNothing_ && hasOwnReason(step);
    if (counts || losesIdleWriting(step)) return idle_;
    if (carriedOut || hasOwnReason(step)) {
      idle_.reset();
      sendsNothing_ = false;
    }
    return std::nullopt;
  }

  bool carriesOutIdleWriting(const Step& step) {
    bool carriedOut = false;
    for (const Effect& effect : step.effects) {
      if (isEffect(effect, "submitWrite")) sendsNothing_ = effect.at(2) == 0;
      if (isEffect(effect, "send") && effect.at(2) == 0 && effect.at(3) != "EPIPE") {
        carriedOut = true;
      }
      if (isEffect(effect, "complete") && effect.at(1) == "write" && sendsNothing_) {
        carriedOut = true;
      }
    }
    return carriedOut;
  }

  // A hang-up is heard because of it, or its submission fails.
  bool losesIdleWriting(const Step& step) const {
    const bool heard = step.event.kind == Event::Kind::kHangUp && !state_[kReading];
    const bool refused = std::ranges::any_of(step.effects, [](const Effect& effect) {
      return isEffect(effect, "submitWrite") && effect.at(2) == 0 && effect.back() == "refused";
    });
    return !step.action && (heard || refused) && has(step.effects, "connectionLost");
  }

  static bool comesToSomething(const Step& step) {
    return has(step.effects, "resumeProducing") || has(step.effects, "close") ||
           has(step.effects, "shutdown");
  }

  static bool has(const Effects& effects, std::string_view name) {
    return std::ranges::any_of(effects,
                               [&](const Effect& effect) { return isEffect(effect, name); });
  }

  static bool isEmptySequence(const Step& step) {
    if (!step.action || step.action->kind != Action::Kind::kWriteSequence) return false;
    const std::vector<std::size_t>& sizes = step.action->sizes;
    return !sizes.empty() && std::ranges::count(sizes, 0U) == std::ssize(sizes);
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
  std::size_t dataCalls_ = 0;
  std::size_t endCalls_ = 0;
  bool withholdsInput_ = false;
  long kernelReadWithheld_ = 0;
  long receivedWithheld_ = 0;
  std::optional<Departure> idle_;  // Why Twisted is writing though there is nothing to write.
  bool sendsNothing_ = false;      // A send of nothing is in flight for it.
  std::map<int, bool> paused_;
  std::set<std::size_t> dropped_;  // Of the last step: the effects that are not expected.
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
    expected.effects.push_back(contractOf(walk.expectedOf(step), fd, joinData));
    expected.paused.push_back(step.state[kProducerPaused] &&
                              walk.paused(static_cast<int>(step.state[kProducer])));
    expected.inputWithheld.push_back(walk.withholdsInput());
    ++expected.steps;
  }
  expected.kernelReadWithheld = walk.kernelReadWithheld();
  expected.receivedWithheld = walk.receivedWithheld();
  return expected;
}

}  // namespace penstock::traces
