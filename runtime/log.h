// What a reactor logs, and who takes it.
#pragma once

#include <penstock/runtime/parts/unique_function.h>

#include <string_view>

namespace penstock {

class Listener;
class Transport;

enum class LogLevel {
  kInfo,     // How it is: a choice that was made.
  kWarning,  // One operation or connection suffered, and the loop goes on.
  kError,    // Something is lost for good: a listener, memory.
};

// Good during the call only. Where only the line matters it passes for one: a log may as well take
// a std::string_view.
struct LogRecord {
  LogLevel level = LogLevel::kWarning;

  // One line without its line feed. Whatever others had a say in is escaped.
  std::string_view text;

  // What it is about, where that is one connection or listener; the text names it too.
  const Transport* connection = nullptr;
  const Listener* listener = nullptr;

  operator std::string_view() const noexcept { return text; }
};

// Called in the loop's thread. What it throws is swallowed. It must not call the reactor.
using Log = UniqueFunction<void(const LogRecord& record)>;

// The default: lines on stderr.
Log logToStderr();

}  // namespace penstock
