// The application of a trace: its protocol, its producers, and what they see.
#pragma once

#include <penstock/tests/traces/trace.h>

#include <penstock/runtime/core/connection.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace penstock::traces {

// Does what the scripts of a trace say and writes down every call that it gets. It outlives the
// connection and the protocol that it makes.
class Application {
 public:
  explicit Application(const Trace& trace);
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  ~Application();

  std::unique_ptr<Protocol> makeProtocol();
  void use(Connection& connection) noexcept { connection_ = &connection; }

  // Does `action` now. Whatever it throws leaves: perform(), for a step, writes it down instead.
  void run(const Action& action);
  void perform(const Action& action);

  // A line of the reactor's log.
  void logged(std::string_view line);

  void note(Effect effect) { effects_.push_back(std::move(effect)); }
  void complain(std::string what) { note({"complaint", std::move(what)}); }
  Effects takeEffects() { return std::exchange(effects_, {}); }

  // The id of the producer that is registered, 0 for none.
  int registeredProducer() const;

  bool scriptsData() const noexcept { return trace_.config.scriptsData; }
  std::size_t written() const noexcept { return written_; }
  std::size_t received() const noexcept { return received_; }

 private:
  class ScriptedProtocol;
  class ScriptedProducer;

  void write(const Action& action);
  void writeParts(const Action& action, const std::vector<Bytes>& parts);
  ScriptedProducer* pausedProducer() const;
  void callBack(const Script& script, std::size_t call);
  std::string className(std::error_code why) const;

  const Trace& trace_;
  Connection* connection_ = nullptr;
  Effects effects_;
  std::vector<std::unique_ptr<ScriptedProducer>> producers_;
  std::string thrown_;  // The class of the last exception, by its name in the recordings.
  std::size_t writes_ = 0;
  std::size_t written_ = 0;
  std::size_t received_ = 0;
};

}  // namespace penstock::traces
