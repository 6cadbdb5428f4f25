// Endpoint: a place named on the command line.
#pragma once

#include <penstock/runtime/transport.h>
#include <penstock/transports/address.h>
#include <penstock/transports/connector.h>

#include <string>

namespace penstock {
class Reactor;
}

namespace penstock::tools {

// "127.0.0.1:80", "[::1]:80", "example.org:80", "unix:/path" or "unix:@name"; to listen, ":80" is
// any interface.
class Endpoint {
 public:
  // Both read `text` and look a name up, waiting for the answer, as is right at the start of a
  // program. They throw one line for people, with the option, when it is no such place.
  static Endpoint toListen(const std::string& text);
  static Endpoint toConnect(const std::string& text);

  // Listens there; of a name, at its first address. Throws when that cannot be.
  Listener& listen(Reactor& reactor, ProtocolFactory factory) const;

  // As connectTcp() and connectUnix(): tries all addresses of a name, looked up afresh.
  Connector& connect(Reactor& reactor, ProtocolFactory factory, ConnectFailedHandler failed) const;

  const std::string& text() const noexcept { return text_; }

 private:
  explicit Endpoint(const std::string& text);
  void checkTarget() const;

  std::string text_;
  std::string host_;  // Empty for a UNIX socket, and for any interface.
  Address address_;
};

}  // namespace penstock::tools
