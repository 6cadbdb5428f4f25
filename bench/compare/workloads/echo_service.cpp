#include <penstock/bench/compare/workloads/echo_service.h>

namespace penstock::compare {

// The transport is its own producer: while its peer does not read, it is not read from either.
void EchoService::connectionMade(Transport& transport) {
  transport_ = &transport;
  transport.registerProducer(transport, Production::kStreaming);
}

std::string describeMessages(const Cell& cell) {
  std::string text = sizeText(cell.size) + " at " + std::to_string(cell.connections) +
                     (cell.connections == 1 ? " connection" : " connections");
  if (cell.depth > 1) text += " with " + std::to_string(cell.depth) + " in flight each";
  return text;
}

}  // namespace penstock::compare
