#include <penstock/tests/traces/trace.h>

#include <string_view>
#include <utility>

namespace penstock::traces {
namespace {

// Far above what is recorded, and small enough to be held in memory.
constexpr std::size_t kLargestSize = 4 << 20;

std::size_t sizeOf(const Json& json) {
  const auto size = json.get<long>();
  if (!json.is_number_integer() || size < 0 || static_cast<std::size_t>(size) > kLargestSize) {
    throw BadInput("a size is not within 0 to 4194304: " + json.dump());
  }
  return static_cast<std::size_t>(size);
}

std::vector<std::size_t> sizesOf(const Json& json) {
  if (!json.is_array()) throw BadInput("the sizes of a writeSequence are not a list");
  std::vector<std::size_t> sizes;
  for (const Json& size : json) sizes.push_back(sizeOf(size));
  return sizes;
}

const Json& listOf(const Json& json, std::string_view what) {
  if (!json.is_array()) throw BadInput(std::string(what) + " is not a list");
  return json;
}

// By the words of operations and of the actions of scripts.
const std::map<std::string_view, Action::Kind> kActions{
    {"write", Action::Kind::kWrite},
    {"writeSequence", Action::Kind::kWriteSequence},
    {"register", Action::Kind::kRegister},
    {"unregister", Action::Kind::kUnregister},
    {"loseConnection", Action::Kind::kLoseConnection},
    {"loseWriteConnection", Action::Kind::kLoseWriteConnection},
    {"stopConsuming", Action::Kind::kStopConsuming},
    {"abort", Action::Kind::kAbort},
    {"pause", Action::Kind::kPause},
    {"resume", Action::Kind::kResume},
    {"stop", Action::Kind::kStop},
    {"raise", Action::Kind::kRaise},
    {"connectionLost", Action::Kind::kConnectionLost},
    {"connect", Action::Kind::kConnect},
};

const std::map<std::string_view, Event::Kind> kEvents{
    {"turn", Event::Kind::kTurn},
    {"writable", Event::Kind::kWritable},
    {"wouldBlock", Event::Kind::kWouldBlock},
    {"writeError", Event::Kind::kWriteError},
    {"readable", Event::Kind::kReadable},
    {"spurious", Event::Kind::kSpurious},
    {"eof", Event::Kind::kEof},
    {"readError", Event::Kind::kReadError},
    {"hup", Event::Kind::kHangUp},
    {"both", Event::Kind::kBoth},
    {"refuseNext", Event::Kind::kRefuseNext},
};

class Parser {
 public:
  Trace parse(const Json& json) {
    if (json.at("v") != 1) throw BadInput("not a trace of version 1");
    trace_.id = json.at("id");
    trace_.family = json.at("family");
    if (trace_.family != "fd" && trace_.family != "fh" && trace_.family != "fhx") {
      throw BadInput("there is no family called " + trace_.family);
    }
    parseConfig(json.at("config"));
    trace_.initialEffects = effects(json.at("init").at("fx"));
    trace_.initialState = state(json.at("init").at("st"));
    for (const Json& entry : listOf(json.at("steps"), "steps")) trace_.steps.push_back(step(entry));
    const Json& end = json.at("end");
    trace_.written = end.at("written");
    trace_.sent = end.at("sent");
    trace_.kernelRead = end.at("kernelRead");
    trace_.received = end.at("received");
    return std::move(trace_);
  }

 private:
  void parseConfig(const Json& json) {
    Config& config = trace_.config;
    config.connected = json.at("connected");
    config.halfCloseable = json.at("halfCloseable");
    config.scriptsData = json.contains("onData");
    config.onData = script(json, "onData");
    config.onReadLost = script(json, "onReadLost");
    config.onWriteLost = script(json, "onWriteLost");
    config.onConnectionLost = script(json, "onConnectionLost");
  }

  Step step(const Json& json) {
    Step step;
    const Json& operation = json.at("op");
    step.text = operation.dump();
    const std::string name = operation.at("op");
    if (const auto event = kEvents.find(name); event != kEvents.end()) {
      step.event = {event->second, eventInput(event->second, operation)};
    } else {
      step.action = std::make_shared<const Action>(applicationCall(name, operation));
    }
    step.effects = effects(json.at("fx"));
    step.state = state(json.at("st"));
    if (json.contains("notes")) json.at("notes").get_to(step.notes);
    return step;
  }

  static Json eventInput(Event::Kind kind, const Json& operation) {
    if (kind == Event::Kind::kReadable) return sizeOf(operation.at("n"));
    return kind == Event::Kind::kBoth ? operation.at("r") : Json();
  }

  Action applicationCall(const std::string& name, const Json& operation) {
    Action action{kindOf(name), {}, nullptr, {}};
    if (action.kind == Action::Kind::kWrite) action.sizes = {sizeOf(operation.at("n"))};
    if (action.kind == Action::Kind::kWriteSequence) action.sizes = sizesOf(operation.at("ns"));
    if (action.kind == Action::Kind::kRegister) {
      action.producer =
          producer(operation.at("p"), operation.at("streaming"), operation.at("script"));
    }
    if (action.kind == Action::Kind::kConnectionLost) action.reason = operation.at("reason");
    return action;
  }

  Action scriptedAction(const Json& json) {
    Action action{kindOf(json.at(0)), {}, nullptr, {}};
    if (action.kind == Action::Kind::kWrite) action.sizes = {sizeOf(json.at(1))};
    if (action.kind == Action::Kind::kWriteSequence) action.sizes = sizesOf(json.at(1));
    if (action.kind == Action::Kind::kRegister) {
      action.producer = producer(json.at(1), json.at(2), json.at(3));
    }
    return action;
  }

  static Action::Kind kindOf(const std::string& name) {
    const auto found = kActions.find(name);
    if (found == kActions.end()) throw BadInput("there is no operation called " + name);
    return found->second;
  }

  std::shared_ptr<const ProducerPlan> producer(int id, bool streaming, const Json& scripts) {
    const auto plan = std::make_shared<ProducerPlan>();
    plan->id = id;
    plan->production = streaming ? Production::kStreaming : Production::kPull;
    plan->pause = script(scripts, "pause");
    plan->resume = script(scripts, "resume");
    plan->stop = script(scripts, "stop");
    trace_.producers[id] = plan;
    return plan;
  }

  Script script(const Json& scripts, const char* name) {
    Script script;
    if (!scripts.contains(name)) return script;
    for (const Json& call : listOf(scripts.at(name), "a script")) {
      std::vector<Action>& actions = script.emplace_back();
      for (const Json& action : listOf(call, "a call of a script")) {
        actions.push_back(scriptedAction(action));
      }
    }
    return script;
  }

  static Effects effects(const Json& json) {
    Effects effects;
    for (const Json& effect : listOf(json, "fx")) {
      if (!effect.is_array() || !effect.at(0).is_string()) throw BadInput("an effect has no name");
      effects.push_back(effect);
    }
    return effects;
  }

  static State state(const Json& json) {
    State state = json.get<State>();
    if (state.size() < kStatePlaces) throw BadInput("a state has fewer than 16 places");
    return state;
  }

  Trace trace_;
};

}  // namespace

Trace parseTrace(const std::string& line) {
  try {
    return Parser().parse(Json::parse(line));
  } catch (const Json::exception& error) {
    throw BadInput(error.what());
  }
}

}  // namespace penstock::traces
