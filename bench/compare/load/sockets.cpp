#include <penstock/bench/compare/load/epoll_sockets.h>
#include <penstock/bench/compare/load/sockets.h>
#ifdef PENSTOCK_WITH_URING
#include <penstock/bench/compare/load/uring_sockets.h>
#endif

#include <stdexcept>
#include <string>

namespace penstock::compare {

bool clientWorks(std::string_view engine) {
#ifdef PENSTOCK_WITH_URING
  if (engine == kUringClient) return UringSockets::work();
#endif
  return engine == kEpollClient;
}

std::string_view bestClient() { return clientWorks(kUringClient) ? kUringClient : kEpollClient; }

std::unique_ptr<Sockets> makeSockets(std::string_view engine, Sockets::Events& events,
                                     [[maybe_unused]] std::size_t mostAtOnce) {
#ifdef PENSTOCK_WITH_URING
  if (engine == kUringClient) return std::make_unique<UringSockets>(events, mostAtOnce);
#endif
  if (engine == kEpollClient) return std::make_unique<EpollSockets>(events);
  throw std::runtime_error("the load generator has no " + std::string(engine) + " here");
}

}  // namespace penstock::compare
