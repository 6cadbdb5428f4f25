#include <penstock/runtime/errors.h>

#include <new>
#include <string>

namespace penstock {
namespace {

class ConnectionCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "penstock"; }

  std::string message(int value) const override {
    switch (static_cast<ConnectionError>(value)) {
      case ConnectionError::kLost:
        return "the connection was lost";
      case ConnectionError::kAborted:
        return "the connection was aborted by this side";
      case ConnectionError::kProtocolFailed:
        return "the protocol or its producer threw an exception";
      case ConnectionError::kTimedOut:
        return "connecting took too long";
      case ConnectionError::kStopped:
        return "connecting was stopped by this side";
      case ConnectionError::kUnresolved:
        return "there is no such host name, or it has no address";
      case ConnectionError::kUnresolvedForNow:
        return "no name server could look the host name up; try again later, and if it stays so, "
               "look at the network and /etc/resolv.conf";
      case ConnectionError::kResolverFailed:
        return "looking the host name up failed for good; look at the name server and at "
               "/etc/nsswitch.conf and /etc/resolv.conf";
      case ConnectionError::kBufferLimit:
        return "more bytes waited to be sent than the limit allows";
    }
    return "unknown penstock error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& connectionCategory() noexcept {
  static const ConnectionCategory category;
  return category;
}

std::error_code make_error_code(ConnectionError error) noexcept {
  return {static_cast<int>(error), connectionCategory()};
}

std::error_code errorOf(long negativeErrno) noexcept {
  return {static_cast<int>(-negativeErrno), std::system_category()};
}

std::error_code errorOfException(std::error_code otherwise) noexcept {
  try {
    throw;
  } catch (const std::system_error& error) {
    return error.code();
  } catch (const std::bad_alloc&) {
    return std::make_error_code(std::errc::not_enough_memory);
  } catch (...) {
    return otherwise;
  }
}

void throwErrno(long negativeErrno, std::string_view what) {
  throw std::system_error(errorOf(negativeErrno), std::string(what));
}

}  // namespace penstock
