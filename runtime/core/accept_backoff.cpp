#include <penstock/runtime/core/accept_backoff.h>
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/descriptor_calls.h>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

namespace penstock {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(100);

// So many failures in a row are not about so many connections.
constexpr unsigned kMostFailuresInARow = 32;

enum class Kind {
  kInterrupted,
  kOneConnection,  // accept(2): the pending errors of a connection, and a firewall's word about it.
  kNoDescriptor,
  kNoMemory,
  kBrokenSocket,
  kUnknown,  // Whatever else: a security module, a filter of system calls, a kernel to come.
};

Kind kindOf(long error) noexcept {
  switch (-error) {
    case EINTR:
      return Kind::kInterrupted;
    case ECONNABORTED:
    case ECONNRESET:
    case ENOTCONN:  // From gVisor, for a client that has reset.
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM:
    case EACCES:
      return Kind::kOneConnection;
    case EMFILE:
    case ENFILE:
      return Kind::kNoDescriptor;
    case ENOBUFS:
    case ENOMEM:
    case ENOSR:
      return Kind::kNoMemory;
    case EBADF:
    case EFAULT:
    case EINVAL:  // It does not listen any more.
    case ENOTSOCK:
      return Kind::kBrokenSocket;
    default:
      return Kind::kUnknown;
  }
}

}  // namespace

AcceptBackoff::AcceptBackoff(ReactorBase& reactor, Callback retry)
    : reactor_(reactor),
      reserve_(descriptorCalls().openReserve()),
      retry_(reactor, std::move(retry)) {}

AcceptBackoff::Advice AcceptBackoff::failed(long error, bool othersInFlight) {
  switch (kindOf(error)) {
    case Kind::kInterrupted:
      return Advice::kGoOn;
    case Kind::kOneConnection:
      if (++failuresInARow_ < kMostFailuresInARow) return Advice::kGoOn;
      logOnce(error, "trying again from time to time");
      return pause();
    case Kind::kNoDescriptor:
      logOnce(error, "closing what comes until there is room");
      return shed(othersInFlight);
    case Kind::kNoMemory:
    case Kind::kUnknown:
      logOnce(error, "trying again from time to time");
      return pause();
    case Kind::kBrokenSocket:
      return Advice::kGiveUp;
  }
  return Advice::kGiveUp;
}

// One of several accepts gets what the reserve has left; the others fail once more.
AcceptBackoff::Advice AcceptBackoff::shed(bool othersInFlight) {
  if (reserve_) {
    reserve_.reset();
    return Advice::kGoOn;
  }
  return othersInFlight && ++failuresInARow_ < kMostFailuresInARow ? Advice::kGoOn : pause();
}

OwnedFd AcceptBackoff::admit(OwnedFd accepted) {
  failuresInARow_ = 0;
  if (reserve_) {
    inTrouble_ = false;
    return accepted;
  }
  reserve_.reset(descriptorCalls().openReserve());
  if (reserve_) return accepted;  // Descriptors have become free meanwhile.
  accepted.reset();
  static_cast<void>(pause());
  return {};
}

bool AcceptBackoff::recovered() {
  if (reserve_) return true;
  reserve_.reset(descriptorCalls().openReserve());
  if (!reserve_) static_cast<void>(pause());
  return static_cast<bool>(reserve_);
}

// Where there is not even memory to wait, a listener must not end for that.
AcceptBackoff::Advice AcceptBackoff::pause() {
  if (!reserve_) reserve_.reset(descriptorCalls().openReserve());
  try {
    retry_.arm(kPause);
    return Advice::kPause;
  } catch (const std::bad_alloc&) {
    return Advice::kGoOn;
  }
}

void AcceptBackoff::logOnce(long error, std::string_view whatNow) try {
  if (std::exchange(inTrouble_, true)) return;
  reactor_.log("penstock: cannot accept connections: " + errorOf(error).message() + "; " +
               std::string(whatNow));
} catch (const std::bad_alloc&) {
  inTrouble_ = false;
}

}  // namespace penstock
