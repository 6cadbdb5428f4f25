// How connections end and how set-up fails, as error codes and exceptions.
#pragma once

#include <penstock/runtime/export.h>
#include <string_view>
#include <system_error>

namespace penstock {

// Why a connection ended, where no errno says it better. A clean end is the falsy
// std::error_code{} (Twisted's ConnectionDone). Twisted: twisted.internet.error.
enum class ConnectionError {
  kLost = 1,        // It broke, or the reactor stopped under it (ConnectionLost).
  kAborted,         // This side called abortConnection (ConnectionAborted).
  kProtocolFailed,  // The protocol or its producer threw; the exception was logged.
  kTimedOut,        // A connect took longer than was allowed (TimeoutError).
  kStopped,         // This side called stopConnecting (UserError).
  kBufferLimit,     // More waited to be sent than was allowed (Transport::setBufferLimit).
  kUnresolved,      // There is no such host name, or it has no address (DNSLookupError).

  // Looking a name up failed, which says nothing about the name.
  kUnresolvedForNow,  // No name server could be asked: later it may be found.
  kResolverFailed,    // It will fail again: a server, or this machine's configuration.
};

PENSTOCK_API const std::error_category& connectionCategory() noexcept;
PENSTOCK_API std::error_code make_error_code(ConnectionError error) noexcept;

// The code for a negative result of a system call or completion (-errno).
PENSTOCK_API std::error_code errorOf(long negativeErrno) noexcept;

// Inside a catch block: the code of a std::system_error, not_enough_memory of a std::bad_alloc, and
// `otherwise` for the rest.
PENSTOCK_API std::error_code errorOfException(std::error_code otherwise) noexcept;

// Throws std::system_error for -errno. `what` names the call and its object: "bind 127.0.0.1:80".
[[noreturn]] PENSTOCK_API void throwErrno(long negativeErrno, std::string_view what);

}  // namespace penstock

template <>
struct std::is_error_code_enum<penstock::ConnectionError> : std::true_type {};
