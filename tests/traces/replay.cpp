#include <penstock/tests/traces/replay.h>

#include <penstock/tests/traces/application.h>
#include <penstock/tests/traces/expectation.h>
#include <penstock/tests/traces/player.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace penstock::traces {
namespace {

constexpr std::array<std::string_view, 9> kStateNames{
    "connected", "disconnecting",  "disconnected",      "writeDisconnecting", "writeDisconnected",
    "producer",  "producerPaused", "streamingProducer", "buffered",
};

std::unique_ptr<Player> makePlayer(const std::string& family, Application& application) {
#ifdef PENSTOCK_WITH_URING
  if (family == "fhx") return makeUringPlayer(application);
#endif
  if (family == "fd") return makeEpollPlayer(application);
  throw std::logic_error("this build cannot replay " + family);
}

std::string describe(const Effects& effects) { return Json(effects).dump(); }

std::string describe(const State& state) {
  std::string text;
  for (std::size_t i = 0; i < state.size(); ++i) {
    text += std::string(kStateNames[i]) + "=" + std::to_string(state[i]) + " ";
  }
  return text;
}

class Replay {
 public:
  explicit Replay(const Trace& trace)
      : trace_(trace),
        fd_(trace.family == "fd"),
        expected_(expectationOf(trace)),
        application_(trace_),
        player_(makePlayer(trace.family, application_)) {}

  Outcome run() {
    Outcome outcome{trace_.steps.size(), 0, expected_.departure, std::nullopt};
    begin();
    outcome.divergence = compareBeginning();
    while (!outcome.divergence && outcome.compared < expected_.steps) {
      outcome.divergence = runStep(outcome.compared);
      if (!outcome.divergence) ++outcome.compared;
    }
    if (!outcome.divergence) outcome.divergence = compareEnd();
    return outcome;
  }

 private:
  void begin() {
    if (trace_.config.connected) connect();
  }

  // A transport is connected once, and a dead one never.
  void connect() {
    if (std::exchange(connectAsked_, true) || player_->connection().disconnected()) return;
    player_->connect();
  }

  std::optional<std::string> compareBeginning() {
    return compare("at the beginning", expected_.initialEffects, trace_.initialState, false);
  }

  std::optional<std::string> runStep(std::size_t index) {
    const Step& step = trace_.steps[index];
    if (step.effects == Effects{{"notDelivered"}}) return std::nullopt;
    if (!step.action) {
      player_->play(step, !expected_.inputWithheld[index]);
    } else if (step.action->kind == Action::Kind::kConnect) {
      connect();
    } else {
      application_.perform(*step.action);
    }
    return compare("step " + std::to_string(index) + " " + step.text, expected_.effects[index],
                   step.state, expected_.paused[index]);
  }

  std::optional<std::string> compare(const std::string& where, const Effects& effects,
                                     const State& recorded, bool paused) {
    const bool joinData = !fd_ && !trace_.config.scriptsData;
    Effects seen = contractOf(application_.takeEffects(), fd_, joinData);
    allowResetOfTruncated(effects, seen);
    const State wanted = compared(recorded, paused);
    const State found = compared(present(), player_->connection().producerPaused());
    if (seen == effects && found == wanted) return std::nullopt;
    return trace_.id + " " + where + "\n    expected " + describe(effects) + "\n    observed " +
           describe(seen) + "\n    expected " + describe(wanted) + "\n    observed " +
           describe(found);
  }

  // A connection that is lost with bytes unsent is reset here, where Twisted ends it cleanly.
  static void allowResetOfTruncated(const Effects& expected, Effects& seen) {
    const Effect reset{"setLingerZero"};
    if (std::ranges::find(expected, reset) == expected.end()) std::erase(seen, reset);
  }

  // The part of a state that is contract: the producer's only while there is one, the buffer's
  // only while it can still be sent.
  static State compared(State state, bool paused) {
    state.resize(kStateNames.size());
    const bool streaming = state[kProducer] != 0 && state[kStreamingProducer] != 0;
    state[kProducerPaused] = streaming && paused;
    state[kStreamingProducer] = streaming;
    if (state[kDisconnected]) state[kBuffered] = 0;
    return state;
  }

  State present() {
    const Connection& connection = player_->connection();
    return {connection.connected(),
            connection.disconnecting(),
            connection.disconnected(),
            connection.writeDisconnecting(),
            connection.writeDisconnected(),
            application_.registeredProducer(),
            connection.producerPaused(),
            connection.streamingProducer(),
            static_cast<long>(connection.bufferedBytes())};
  }

  std::optional<std::string> compareEnd() {
    const bool whole = expected_.departure.empty();
    const std::array<std::size_t, 4> found{application_.written(), player_->sent(),
                                           player_->kernelRead(), application_.received()};
    const std::array<long, 4> wanted{trace_.written, trace_.sent,
                                     trace_.kernelRead - expected_.kernelReadWithheld,
                                     trace_.received - expected_.receivedWithheld};
    if (whole && !std::ranges::equal(found, wanted)) {
      return trace_.id + " at the end: expected " + Json(wanted).dump() + "\n    observed " +
             Json(found).dump() + " bytes written, sent, read by the kernel, received";
    }
    if (found[1] > found[0] || found[3] > found[2]) {
      return trace_.id + ": more was sent than written, or more received than read";
    }
    return complaintsOfEnd();
  }

  std::optional<std::string> complaintsOfEnd() {
    player_->finish();
    for (const Effect& effect : application_.takeEffects()) {
      if (effect[0] == "complaint") return trace_.id + " when all was over: " + effect.dump();
    }
    return std::nullopt;
  }

  const Trace& trace_;
  const bool fd_;
  const Expectation expected_;
  Application application_;
  std::unique_ptr<Player> player_;
  bool connectAsked_ = false;
};

}  // namespace

bool canReplay(const std::string& family) {
  if (family == "fd") return true;
#ifdef PENSTOCK_WITH_URING
  return family == "fhx";
#else
  return false;
#endif
}

Outcome replay(const Trace& trace) { return Replay(trace).run(); }

}  // namespace penstock::traces
