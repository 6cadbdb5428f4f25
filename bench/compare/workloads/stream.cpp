// Workload stream: bytes without end, to the server, from it, and both ways.
#include <penstock/bench/compare/load/stream_load.h>
#include <penstock/bench/compare/pattern.h>
#include <penstock/bench/compare/spin.h>
#include <penstock/bench/compare/workload.h>

#include <memory>

namespace penstock::compare {
namespace {

class Sink final : public Protocol {
 public:
  void connectionMade(Transport&) override {}
  void dataReceived(Bytes) override { Spin::spend(); }
  void connectionLost(std::error_code) override {}
};

// Writes the counting pattern for as long as somebody reads it.
class Source final : public Protocol, private Producer {
 public:
  void connectionMade(Transport& transport) override {
    transport_ = &transport;
    transport.registerProducer(*this, Production::kPull);
  }
  void dataReceived(Bytes) override {}
  void connectionLost(std::error_code) override {}

 private:
  static constexpr std::size_t kPortion = 65536;

  // The pattern lives as long as the program, so none of it is copied.
  void resumeProducing() override {
    Spin::spend();
    transport_->write(Buffer::ofStatic({Pattern::counting().at(sent_), kPortion}));
    sent_ += kPortion;
  }
  void pauseProducing() override {}
  void stopProducing() override {}

  Transport* transport_ = nullptr;
  std::uint64_t sent_ = 0;
};

template <class Service>
ServiceRegistration serviceOf(const char* name) {
  return {name, [](Reactor&, const ServiceOptions&) {
            return ProtocolFactory([] { return std::make_unique<Service>(); });
          }};
}

const ServiceRegistration sink = serviceOf<Sink>("sink");
const ServiceRegistration source = serviceOf<Source>("source");

Cell cellOf(const char* variant, unsigned connections, const char* group = "") {
  Cell cell;
  cell.workload = "stream";
  cell.variant = variant;
  cell.connections = connections;
  cell.size = 65536;
  cell.group = group;
  return cell;
}

std::vector<Cell> cells(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
      return {cellOf("down", 8)};
    case Profile::kStandard:
      return {cellOf("up", 8), cellOf("down", 8)};
    case Profile::kFull:
      return {cellOf("up", 1),   cellOf("up", 8),   cellOf("up", 64),
              cellOf("down", 1), cellOf("down", 8), cellOf("down", 64),
              cellOf("both", 1), cellOf("both", 8), cellOf("both", 64)};
    case Profile::kSpeed:
      return {cellOf("up", 8, "sink"), cellOf("down", 8, "source")};
  }
  return {};
}

StreamKind kindOf(const Cell& cell) {
  if (cell.variant == "up") return {.sends = true, .pattern = &Pattern::scrambled()};
  if (cell.variant == "down") return {.receives = true, .pattern = &Pattern::counting()};
  return {.sends = true, .receives = true, .pattern = &Pattern::scrambled()};
}

std::unique_ptr<Load> makeLoad(const LoadRequest& request) {
  StreamKind kind = kindOf(request.cell);
  kind.cheapWindow = !request.cell.group.empty();
  return std::make_unique<StreamLoad>(request, kind);
}

std::string describe(const Cell& cell) {
  const std::string way = cell.variant == "up"     ? "uploads"
                          : cell.variant == "down" ? "downloads"
                                                   : "both ways";
  return way + " on " + std::to_string(cell.connections) +
         (cell.connections == 1 ? " connection" : " connections");
}

Service service(const Cell& cell) {
  if (cell.variant == "up") return {.name = "sink"};
  return {.name = cell.variant == "down" ? "source" : "echo"};
}

const WorkloadRegistration workload({
    .name = "stream",
    .rank = 20,
    .unit = "MiB",
    .purpose = "Bytes without end: uploads, downloads, and both at once.",
    .hasLatency = false,
    .sendsMessages = false,
    .cells = cells,
    .describe = describe,
    .service = service,
    .makeLoad = makeLoad,
});

}  // namespace
}  // namespace penstock::compare
