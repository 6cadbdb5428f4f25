#include <penstock/tests/traces/application.h>

#include <penstock/tests/traces/pattern.h>

#include <penstock/runtime/errors.h>

#include <stdexcept>
#include <utility>

namespace penstock::traces {
namespace {

class ScriptedError : public std::runtime_error {
 public:
  ScriptedError() : std::runtime_error("ScriptedError") {}
};

class CustomCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "trace"; }
  std::string message(int) const override { return "CustomReason"; }
};

const CustomCategory kCustomCategory;

std::error_code codeOf(const std::string& className) {
  if (className == "ConnectionDone") return {};
  if (className == "ConnectionLost") return ConnectionError::kLost;
  if (className == "CustomReason") return {1, kCustomCategory};
  throw BadInput("there is no reason called " + className);
}

}  // namespace

class Application::ScriptedProducer final : public Producer {
 public:
  ScriptedProducer(Application& application, std::shared_ptr<const ProducerPlan> plan)
      : application_(application), plan_(std::move(plan)) {}

  void pauseProducing() override {
    application_.note({"pauseProducing", plan_->id});
    pauseAgain();
  }
  void pauseAgain() { application_.callBack(plan_->pause, paused_++); }
  void resumeProducing() override {
    application_.note({"resumeProducing", plan_->id});
    application_.callBack(plan_->resume, resumed_++);
  }
  void stopProducing() override {
    application_.note({"stopProducing", plan_->id});
    application_.callBack(plan_->stop, stopped_++);
  }

  int id() const noexcept { return plan_->id; }

 private:
  Application& application_;
  const std::shared_ptr<const ProducerPlan> plan_;
  std::size_t paused_ = 0;
  std::size_t resumed_ = 0;
  std::size_t stopped_ = 0;
};

class Application::ScriptedProtocol final : public Protocol {
 public:
  explicit ScriptedProtocol(Application& application)
      : application_(application), config_(application.trace_.config) {}

  void connectionMade(Transport&) override {}

  void dataReceived(Bytes bytes) override {
    Effect effect{"dataReceived", bytes.size()};
    if (!isPattern(bytes, application_.received_)) effect.push_back("wrong bytes");
    application_.received_ += bytes.size();
    application_.note(std::move(effect));
    application_.callBack(config_.onData, dataCalls_++);
  }

  bool isHalfCloseable() const noexcept override { return config_.halfCloseable; }

  void readConnectionLost() override {
    application_.note({"readConnectionLost"});
    application_.callBack(config_.onReadLost, readLostCalls_++);
  }

  void writeConnectionLost() override {
    application_.note({"writeConnectionLost"});
    application_.callBack(config_.onWriteLost, writeLostCalls_++);
  }

  void connectionLost(std::error_code why) override {
    const Transport& transport = *application_.connection_;
    if (!transport.disconnected() || transport.connected()) {
      application_.complain("connectionLost was heard before the transport was over");
    }
    application_.note({"connectionLost", application_.className(why)});
    application_.callBack(config_.onConnectionLost, connectionLostCalls_++);
  }

 private:
  Application& application_;
  const Config& config_;
  std::size_t dataCalls_ = 0;
  std::size_t readLostCalls_ = 0;
  std::size_t writeLostCalls_ = 0;
  std::size_t connectionLostCalls_ = 0;
};

Application::Application(const Trace& trace) : trace_(trace) {}

Application::~Application() = default;

std::unique_ptr<Protocol> Application::makeProtocol() {
  return std::make_unique<ScriptedProtocol>(*this);
}

void Application::run(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kWrite:
    case Action::Kind::kWriteSequence:
      return write(action);
    case Action::Kind::kRegister: {
      ScriptedProducer& producer =
          *producers_.emplace_back(std::make_unique<ScriptedProducer>(*this, action.producer));
      return connection_->registerProducer(producer, action.producer->production);
    }
    case Action::Kind::kUnregister:
      return connection_->unregisterProducer();
    case Action::Kind::kLoseConnection:
      return connection_->loseConnection();
    case Action::Kind::kLoseWriteConnection:
      return connection_->loseWriteConnection();
    case Action::Kind::kStopConsuming:
      return connection_->stopConsuming();
    case Action::Kind::kAbort:
      return connection_->abortConnection();
    case Action::Kind::kPause:
      return connection_->pauseProducing();
    case Action::Kind::kResume:
      return connection_->resumeProducing();
    case Action::Kind::kStop:
      return connection_->stopProducing();
    case Action::Kind::kRaise:
      throw ScriptedError();
    case Action::Kind::kConnectionLost:
      return connection_->connectionLost(codeOf(action.reason));
    case Action::Kind::kConnect:
      throw BadInput("only a step can connect");
  }
}

void Application::perform(const Action& action) {
  try {
    run(action);
  } catch (const ScriptedError&) {
    note({"raised", "ScriptedError"});
  } catch (const std::logic_error&) {
    note({"raised", "RuntimeError"});
  }
}

// Twisted tells a producer that it has paused already to pause again, at each further write over
// the mark. Ours does not; so that the traces can go on, the application itself then does what the
// script has for that call.
void Application::write(const Action& action) {
  std::vector<Bytes> parts;
  std::size_t offset = written_;
  for (const std::size_t size : action.sizes) {
    parts.push_back(patternAt(offset, size));
    offset += size;
  }
  const bool sequence = action.kind == Action::Kind::kWriteSequence;
  const bool accepted = connection_->connected() && !connection_->writeDisconnected();
  const bool counts = accepted && (sequence ? !parts.empty() : offset > written_);
  ScriptedProducer* paused = counts ? pausedProducer() : nullptr;
  if (accepted) written_ = offset;
  writeParts(action, parts);
  if (paused && connection_->bufferedBytes() > Transport::kHighWaterMark) paused->pauseAgain();
}

// Both ways of handing bytes over are used in turn: they come to the same.
void Application::writeParts(const Action& action, const std::vector<Bytes>& parts) {
  if (action.kind == Action::Kind::kWriteSequence) return connection_->writeSequence(parts);
  if (++writes_ % 2 == 0) return connection_->write(Buffer::ofStatic(parts.front()));
  connection_->write(parts.front());
}

Application::ScriptedProducer* Application::pausedProducer() const {
  const bool paused = connection_->streamingProducer() && connection_->producerPaused();
  return paused ? static_cast<ScriptedProducer*>(connection_->producer()) : nullptr;
}

void Application::callBack(const Script& script, std::size_t call) {
  if (call >= script.size()) return;
  try {
    for (const Action& action : script[call]) run(action);
  } catch (const ScriptedError&) {
    thrown_ = "ScriptedError";
    throw;
  } catch (const std::logic_error&) {
    thrown_ = "RuntimeError";
    throw;
  }
}

void Application::logged(std::string_view line) {
  if (line.starts_with("penstock: exception from ")) return note({"logged", thrown_});
  complain("the reactor logged: " + std::string(line));
}

int Application::registeredProducer() const {
  Producer* producer = connection_->producer();
  return producer ? static_cast<ScriptedProducer*>(producer)->id() : 0;
}

std::string Application::className(std::error_code why) const {
  if (!why) return "ConnectionDone";
  if (why == ConnectionError::kAborted) return "ConnectionAborted";
  if (why == ConnectionError::kProtocolFailed) return thrown_;
  if (why == ConnectionError::kLost || why.category() == std::system_category()) {
    return "ConnectionLost";
  }
  return why.message();
}

}  // namespace penstock::traces
