// What the workloads that answer each message share.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/spin.h>
#include <penstock/runtime/transport.h>

#include <string>

namespace penstock::compare {

// Sends back what it receives, and holds its peer when that does not read.
class EchoService : public Protocol {
 public:
  void connectionMade(Transport& transport) override;
  void dataReceived(Bytes bytes) override {
    Spin::spend();
    transport_->write(bytes);
  }
  void connectionLost(std::error_code) override {}

 protected:
  Transport& transport() const noexcept { return *transport_; }

 private:
  Transport* transport_ = nullptr;
};

// "64 B at 50 connections", "… 8 in flight each".
std::string describeMessages(const Cell& cell);

}  // namespace penstock::compare
