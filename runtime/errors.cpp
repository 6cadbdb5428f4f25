#include <penstock/runtime/errors.h>

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
        return "the host name could not be resolved";
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

void throwErrno(long negativeErrno, std::string_view what) {
  throw std::system_error(errorOf(negativeErrno), std::string(what));
}

}  // namespace penstock
