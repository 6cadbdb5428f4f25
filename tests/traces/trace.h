// The recorded traces: what was done to a transport of Twisted, and what it did.
#pragma once

#include <penstock/runtime/producer.h>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace penstock::traces {

using Json = nlohmann::json;

// The file or a trace in it cannot be used; the text says where and why, in one line.
class BadInput : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One effect: ["name", argument...].
using Effect = Json;
using Effects = std::vector<Effect>;

struct ProducerPlan;

// Something an application does to its transport.
struct Action {
  enum class Kind {
    kWrite,
    kWriteSequence,
    kRegister,
    kUnregister,
    kLoseConnection,
    kLoseWriteConnection,
    kStopConsuming,
    kAbort,
    kPause,
    kResume,
    kStop,
    kRaise,
    kConnectionLost,
    kConnect,
  };
  Kind kind;
  std::vector<std::size_t> sizes;                // Of kWrite (one) and kWriteSequence.
  std::shared_ptr<const ProducerPlan> producer;  // Of kRegister.
  std::string reason;                            // Of kConnectionLost.
};

// What a callback does: at its n-th call the actions of the n-th element; past the end nothing.
using Script = std::vector<std::vector<Action>>;

struct ProducerPlan {
  int id = 0;
  Production production = Production::kPull;
  Script pause;
  Script resume;
  Script stop;
};

// What the operating system reports.
struct Event {
  enum class Kind {
    kTurn,
    kWritable,
    kWouldBlock,
    kWriteError,
    kReadable,
    kSpurious,
    kEof,
    kReadError,
    kHangUp,
    kBoth,
    kRefuseNext,
  };
  Kind kind;
  Json read;  // Of kReadable and kBoth: a size, "eof", "error" or "block".
};

// The state after a step, by the places of the recorded array.
enum StatePlace : std::size_t {
  kConnected,
  kDisconnecting,
  kDisconnected,
  kWriteDisconnecting,
  kWriteDisconnected,
  kProducer,
  kProducerPaused,
  kStreamingProducer,
  kBuffered,
  kReading = 10,
  kWriting,
  kStatePlaces = 16,
};
using State = std::vector<long>;

struct Step {
  std::string text;                      // Its operation, as recorded.
  std::shared_ptr<const Action> action;  // Null when the step is an event.
  Event event{};
  Effects effects;
  State state;
  std::vector<std::string> notes;
};

struct Config {
  bool connected = false;
  bool halfCloseable = false;
  bool scriptsData = false;  // There is a script for each call of dataReceived.
  Script onData;
  Script onReadLost;
  Script onWriteLost;
  Script onConnectionLost;
};

struct Trace {
  std::string id;
  std::string family;
  Config config;
  Effects initialEffects;
  State initialState;
  std::vector<Step> steps;
  long written = 0;
  long sent = 0;
  long kernelRead = 0;
  long received = 0;
  std::map<int, std::shared_ptr<const ProducerPlan>> producers;  // All that are ever registered.
};

// One line of a trace file. Throws BadInput.
Trace parseTrace(const std::string& line);

}  // namespace penstock::traces
