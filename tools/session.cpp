#include <penstock/runtime/parts/escaped.h>
#include <penstock/tools/session.h>
#include <penstock/transports/address.h>

#include <sys/ioctl.h>

#include <cstdio>
#include <utility>

namespace penstock::tools {
namespace {

bool hasUnreadInput(const Transport& transport) {
  int waiting = 0;
  return ::ioctl(transport.descriptor(), FIONREAD, &waiting) == 0 && waiting > 0;
}

// Asked for while the connection is there: the kernel forgets it with a reset.
std::string nameOfPeer(const Transport& transport) {
  try {
    const Address peer = getPeer(transport);
    return peer.isUnix() && peer.path().empty() ? "unix peer" : peer.text();
  } catch (const std::system_error&) {
    return "unknown peer";
  }
}

}  // namespace

void Session::connectionMade(Transport& transport) {
  transport_ = &transport;
  server_.opened(*this);
  if (isLogged() && server_.options().verbosity >= 1) peer_ = nameOfPeer(transport);
  if (isLogged() && server_.options().verbosity >= 2) log("opened");
  opened();
}

void Session::dataReceived(Bytes bytes) {
  if (finishing_) return;
  receivedBytes_ += bytes.size();
  received(bytes);
}

void Session::readConnectionLost() {
  inputEnded_ = true;
  if (transport_->writeDisconnected()) return transport_->loseConnection();
  if (!finishing_) inputEnded();
}

void Session::writeConnectionLost() {
  if (inputEnded_) return transport_->loseConnection();
  if (finishing_) linger();
}

void Session::linger() {
  linger_ = server_.reactor().callLater(kLingerLimit, [this] { transport_->loseConnection(); });
}

void Session::connectionLost(std::error_code why) {
  linger_.cancel();
  ending();
  sentBytes_ -= transport_->bufferedBytes();  // These were accepted and never sent.
  if (isLogged() && server_.options().verbosity >= 1) log(summary(why));
  closed(why);
  server_.closed(*this);
}

// A peer that has been sent nothing has nothing to lose, and one that owes us nothing is let go.
void Session::drain() {
  const bool underWay = transport_->bufferedBytes() > 0 || hasUnreadInput(*transport_);
  const bool mayLose = underWay && (sentBytes_ > 0 || isReplaced());
  if (!mayLose || transport_->writeDisconnected()) return transport_->stopConsuming();
  finish();
  if (isReplaced()) linger();
}

void Session::abort(std::string why) {
  setReason(std::move(why));
  transport_->abortConnection();
}

void Session::send(Bytes bytes) {
  sentBytes_ += bytes.size();
  transport_->write(bytes);
}

void Session::send(Buffer buffer) {
  sentBytes_ += buffer.size();
  transport_->write(std::move(buffer));
}

void Session::finish() {
  if (std::exchange(finishing_, true)) return;
  transport_->unregisterProducer();
  transport_->resumeProducing();  // A producer that held us must not keep us from the end.
  transport_->loseWriteConnection();
}

void Session::log(const std::string& what) const {
  std::fprintf(stderr, "penstock: %s %s\n", escaped(peer_).c_str(), escaped(what).c_str());
}

std::string Session::summary(std::error_code why) const {
  std::string line = "closed: " + std::to_string(receivedBytes_) + " bytes in, " +
                     std::to_string(sentBytes_) + " bytes out, ";
  if (!reason_.empty()) return line + reason_;
  return line + (why ? why.message() : "finished cleanly");
}

}  // namespace penstock::tools
