// Workload relay: two connections and the producer/consumer pair between them.
#include <penstock/bench/compare/load/stream_load.h>
#include <penstock/bench/compare/spin.h>
#include <penstock/bench/compare/workload.h>
#include <penstock/transports/address.h>
#include <penstock/transports/relay.h>
#include <penstock/transports/tcp.h>

#include <memory>

namespace penstock::compare {
namespace {

// Somebody looks at the bytes: they come to user space, and are copied on.
class Onlooker final : public RelayTap {
 public:
  void passing(Transport&, Bytes bytes) override {
    Spin::spend();
    seen_ += bytes.size();
  }

 private:
  std::uint64_t seen_ = 0;
};

// The side that connects; relay() does all that it has to.
class Outward final : public Protocol {
 public:
  Outward(Transport& inward, RelayTap* tap) : inward_(inward), tap_(tap) {}
  void connectionMade(Transport& transport) override { relay(inward_, transport, {.tap = tap_}); }
  void dataReceived(Bytes) override {}
  void connectionLost(std::error_code) override {}

 private:
  Transport& inward_;  // Its end stops the attempt, so it is there when this is made.
  RelayTap* tap_;
};

// The side that was accepted: holds its bytes until there is somewhere to send them.
class Inward final : public Protocol {
 public:
  Inward(Reactor& reactor, const Address& to, RelayTap* tap)
      : reactor_(reactor), to_(to), tap_(tap) {}

  void connectionMade(Transport& transport) override {
    transport.pauseProducing();
    connector_ = &connectTcp(
        reactor_, to_,
        [this, &transport] {
          connector_ = nullptr;
          return std::make_unique<Outward>(transport, tap_);
        },
        [this, &transport](std::error_code) {
          connector_ = nullptr;
          transport.abortConnection();
        });
  }
  void dataReceived(Bytes) override {}
  void connectionLost(std::error_code) override {
    if (connector_ != nullptr) connector_->stopConnecting();
  }

 private:
  Reactor& reactor_;
  const Address to_;
  RelayTap* tap_;
  Connector* connector_ = nullptr;
};

ProtocolFactory relayTo(Reactor& reactor, const ServiceOptions& options, RelayTap* tap) {
  return [&reactor, to = Address::parse(options.to), tap] {
    return std::make_unique<Inward>(reactor, to, tap);
  };
}

const ServiceRegistration copying("relay", [](Reactor& reactor, const ServiceOptions& options) {
  static Onlooker onlooker;
  return relayTo(reactor, options, &onlooker);
});

const ServiceRegistration splicing("splice", [](Reactor& reactor, const ServiceOptions& options) {
  return relayTo(reactor, options, nullptr);
});

// Half of what the slowest peer relays would still be fast; this is slow for all of them.
constexpr double kSlowRate = 64.0 * 1024 * 1024;

Cell cellOf(const char* variant, unsigned connections, const char* group = "") {
  Cell cell;
  cell.workload = "relay";
  cell.variant = variant;
  cell.connections = connections;
  cell.size = 65536;
  cell.group = group;
  return cell;
}

// The sink is the limit, so that it is about what the relay keeps meanwhile.
Cell slowSink(unsigned connections) {
  Cell cell = cellOf("slow", connections);
  cell.metric = "peak_mib";
  return cell;
}

std::vector<Cell> cells(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
      return {cellOf("copy", 1)};
    case Profile::kStandard:
      return {cellOf("copy", 1), cellOf("splice", 1), slowSink(8)};
    case Profile::kFull:
      return {cellOf("copy", 1),   cellOf("copy", 8), cellOf("copy", 64), cellOf("splice", 1),
              cellOf("splice", 8), slowSink(8),       slowSink(64)};
    case Profile::kSpeed:
      return {cellOf("copy", 1, "relay"), cellOf("copy", 8, "relay"),
              cellOf("splice", 1, "spliced relay"), cellOf("splice", 8, "spliced relay")};
  }
  return {};
}

std::unique_ptr<Load> makeLoad(const LoadRequest& request) {
  StreamKind kind{.sends = true, .receives = true, .pattern = &Pattern::scrambled()};
  kind.comesBackElsewhere = true;
  if (request.cell.variant == "slow") kind.readRate = kSlowRate;
  kind.cheapWindow = !request.cell.group.empty();
  return std::make_unique<StreamLoad>(request, kind);
}

std::string describe(const Cell& cell) {
  const std::string how = cell.variant == "slow"   ? "memory, a sink of 64 MiB/s on "
                          : cell.variant == "copy" ? "bytes looked at on "
                                                   : "bytes not looked at on ";
  return how + std::to_string(cell.connections) +
         (cell.connections == 1 ? " connection" : " connections");
}

// Others have no word for it, and relay as they always do.
Service service(const Cell& cell) {
  const bool splice = cell.variant == "splice";
  return {.name = splice ? "splice" : "relay", .peersName = "relay", .callsBack = true};
}

const WorkloadRegistration workload({
    .name = "relay",
    .rank = 30,
    .unit = "MiB",
    .purpose = "One connection's bytes passed on to another, into a fast or a slow sink.",
    .hasLatency = false,
    .sendsMessages = false,
    .cells = cells,
    .describe = describe,
    .service = service,
    .makeLoad = makeLoad,
});

}  // namespace
}  // namespace penstock::compare
