#include <penstock/runtime/accept_relief.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system_calls.h>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

namespace penstock {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(100);

}  // namespace

AcceptRelief::AcceptRelief(Reactor& reactor, Callback retry)
    : reactor_(reactor), reserve_(systemCalls().openReserve()), retry_(reactor, std::move(retry)) {}

AcceptRelief::Advice AcceptRelief::failed(long error) {
  switch (-error) {
    case ECONNABORTED:
    case EPROTO:
    case EINTR:
    case EPERM:  // A firewall's word about one connection.
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
      return Advice::kGoOn;
    case EMFILE:
    case ENFILE:
      logOnce(error);
      if (!reserve_) break;
      reserve_.reset();
      return Advice::kShed;
    case ENOBUFS:
    case ENOMEM:
      logOnce(error);
      break;
    default:
      return Advice::kGiveUp;
  }
  return pause() ? Advice::kPause : Advice::kGoOn;
}

OwnedFd AcceptRelief::admit(OwnedFd accepted) {
  if (reserve_) {
    inTrouble_ = false;
    return accepted;
  }
  reserve_.reset(systemCalls().openReserve());
  if (reserve_ && accepted) return accepted;  // Descriptors have become free meanwhile.
  accepted.reset();
  static_cast<void>(pause());
  return {};
}

// False: there is not even memory to wait. A listener must not end for that.
bool AcceptRelief::pause() {
  if (!reserve_) reserve_.reset(systemCalls().openReserve());
  try {
    retry_.arm(kPause);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void AcceptRelief::logOnce(long error) try {
  if (std::exchange(inTrouble_, true)) return;
  reactor_.log("penstock: cannot accept connections: " + errorOf(error).message() +
               "; closing what comes until there is room");
} catch (const std::bad_alloc&) {
  inTrouble_ = false;
}

}  // namespace penstock
