#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/log.h>
#include <penstock/runtime/parts/escaped.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/transport.h>

#include <netdb.h>

#include <cstdio>
#include <exception>
#include <new>
#include <string>

namespace penstock {
namespace {

// How much of a line the log takes.
constexpr std::size_t kMostLogged = 2048;

// " (descriptor 7, peer 192.0.2.1 port 80)". Knows no address families: the C library tells the
// text.
std::string nameOf(const Transport& connection) {
  const int fd = connection.descriptor();
  if (fd < 0) return " (no descriptor)";
  std::string name = " (descriptor " + std::to_string(fd);
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* const peer = reinterpret_cast<sockaddr*>(&address);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (!isUnixSocket(fd) && socketCalls().getpeername(fd, peer, &length) == 0 &&
      ::getnameinfo(peer, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
    name += std::string(", peer ") + host + " port " + port;
  }
  return name + ")";
}

std::string nameOf(const Listener& listener) {
  return " (listener on descriptor " + std::to_string(listener.descriptor()) + ")";
}

// Inside a catch block.
std::string lineOfException(std::string_view where) {
  std::string line = "penstock: exception from ";
  line += where;
  try {
    throw;
  } catch (const std::exception& exception) {
    line += std::string(": ") + exception.what();
  } catch (...) {
    line += ": not a std::exception";
  }
  return line;
}

}  // namespace

Log logToStderr() {
  return [](const LogRecord& record) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(record.text.size()), record.text.data());
  };
}

void ReactorBase::runCallback(Callback& callback) noexcept {
  try {
    callback();
  } catch (...) {
    logException("a callback");
  }
}

// The one place where a line is made printable, whatever it repeats.
void ReactorBase::log(LogRecord record) noexcept {
  try {
    std::string text(record.text);
    if (record.connection) text += nameOf(*record.connection);
    if (record.listener) text += nameOf(*record.listener);
    text = escaped(text, kMostLogged);
    record.text = text;
    options_.log(record);
  } catch (const std::bad_alloc&) {
    logPlain(record);
  } catch (...) {  // A log that throws has nobody to tell.
  }
}

// Without memory: as it is, if it may be shown so.
void ReactorBase::logPlain(LogRecord record) noexcept {
  if (!isPrintable(record.text)) record.text = "penstock: no memory to tell what went wrong";
  try {
    options_.log(record);
  } catch (...) {
  }
}

void ReactorBase::logException(std::string_view where, const Transport* connection,
                               const Listener* listener) noexcept {
  try {
    log({LogLevel::kWarning, lineOfException(where), connection, listener});
  } catch (...) {
    logPlain({LogLevel::kWarning, "penstock: exception from a callback; no memory to tell more",
              connection, listener});
  }
}

// In a thread of the pool, which ends before calls are closed. Where too many wait, or memory is
// short, one line fewer is the least of it.
void ReactorBase::logFromThread(std::string_view where) noexcept {
  try {
    static_cast<void>(callFromThread([this, line = lineOfException(where)] { log(line); }));
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace penstock
