#include <penstock/runtime/backends.h>
#include <penstock/runtime/core/backend_row.h>
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/epoll/backend.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/parts/escaped.h>
#include <penstock/runtime/system/pipe_calls.h>

#ifdef PENSTOCK_WITH_URING
#include <penstock/runtime/uring/backend.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace penstock {
namespace {

constexpr const char* kVariable = "PENSTOCK_BACKEND";
constexpr std::string_view kAutoName = "auto";

#ifdef PENSTOCK_WITH_URING
constexpr const BackendRow* kUringRow = &uring::kBackendRow;
#else
BackendOpening notBuilt(const ReactorOptions&) {
  return {nullptr, "this build of penstock has no io_uring",
          "build it with liburing 2.3 or newer (Debian: liburing-dev)"};
}
constexpr BackendRow kNoUring{Backend::kUring, false, "uring", &notBuilt,
                              [](std::vector<Capability>&) {}};
constexpr const BackendRow* kUringRow = &kNoUring;
#endif

// The table. A family is a row here and a folder; the first that works is taken.
constexpr std::array kRows{kUringRow, &epoll::kBackendRow};

const BackendRow& rowOf(Backend backend) noexcept {
  return **std::ranges::find(kRows, backend, &BackendRow::backend);
}

// Ends in the remedy: the words of the code, "operation not supported", would only blur it.
class BackendRefused final : public std::system_error {
 public:
  explicit BackendRefused(std::string message)
      : std::system_error(std::make_error_code(std::errc::not_supported)),
        message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

// Which backend is asked for, and by whom.
struct Request {
  Backend backend;
  std::string asker;
};

Request requestFor(Backend asked, bool environmentDecides) {
  const char* variable = std::getenv(kVariable);
  const bool heeded = asked == Backend::kAuto || environmentDecides;
  if (heeded && variable && *variable) {
    return {backendNamed(variable), std::string(kVariable) + " asks for it"};
  }
  return {asked, "the program asked for it"};
}

// What a reactor is made of. The one way to choose, for those who ask and those who create.
struct Chosen {
  BackendChoice choice;
  std::unique_ptr<ReactorInWaiting> reactor;
};

Chosen chooseNamed(const Request& request, const ReactorOptions& options) {
  BackendOpening opening = rowOf(request.backend).open(options);
  if (!opening.reactor) {
    throw BackendRefused(request.asker + ", but " + opening.why + "; " + opening.remedy);
  }
  const std::string why = request.asker + (opening.why.empty() ? "" : "; " + opening.why);
  return {{request.backend, why}, std::move(opening.reactor)};
}

// Why it is none of those before it, or else what speaks for it.
Chosen chooseFirst(const ReactorOptions& options) {
  std::string refusals;
  for (const BackendRow* row : kRows) {
    BackendOpening opening = row->open(options);
    if (opening.reactor) {
      return {{row->backend, refusals.empty() ? opening.why : refusals},
              std::move(opening.reactor)};
    }
    refusals += (refusals.empty() ? "" : "; ") + opening.why;
  }
  throw BackendRefused("no backend works here: " + refusals);
}

Chosen choose(const Request& request, const ReactorOptions& options) {
  return request.backend == Backend::kAuto ? chooseFirst(options) : chooseNamed(request, options);
}

// Both families relay bulk by them. An empty pipe has nothing to splice, where it may be tried.
void addSplicing(std::vector<Capability>& list) {
  constexpr const char* kUse = "relays whose bytes stay in the kernel";
  constexpr const char* kRemedy = "a filter stands in the way; without it relays copy";
  int from[2] = {-1, -1};
  int to[2] = {-1, -1};
  const bool pipes = pipeCalls().pipe(from) == 0 && pipeCalls().pipe(to) == 0;
  const OwnedFd ends[] = {OwnedFd(from[0]), OwnedFd(from[1]), OwnedFd(to[0]), OwnedFd(to[1])};
  const bool splices = pipes && pipeCalls().splice(from[0], to[1], 1) == -EAGAIN;
  list.push_back({"pipe2", pipes, kUse, kRemedy});
  list.push_back({"splice", splices, kUse, kRemedy});
}

}  // namespace

std::string_view nameOf(Backend backend) noexcept {
  return backend == Backend::kAuto ? kAutoName : rowOf(backend).name;
}

Backend backendNamed(std::string_view name) {
  if (name == kAutoName) return Backend::kAuto;
  std::string names;
  for (const BackendRow* row : kRows) {
    if (name == row->name) return row->backend;
    names += (names.empty() ? "" : ", ") + std::string(row->name);
  }
  throw std::invalid_argument("no backend is called " + inQuotes(name) + "; use " + names +
                              " or auto");
}

BackendChoice chooseBackend(Backend asked) {
  return choose(requestFor(asked, false), ReactorOptions{}).choice;
}

std::unique_ptr<Reactor> Reactor::create(ReactorOptions options) {
  const Request request = requestFor(options.backend, options.environmentDecides);
  Chosen chosen = choose(request, options);
  auto reactor = std::move(*chosen.reactor).make(std::move(options));
  const BackendRow& best = *kRows.front();
  if (request.backend == Backend::kAuto && best.built && chosen.choice.backend != best.backend) {
    const std::string line =
        "penstock: using " + std::string(nameOf(chosen.choice.backend)) + ": " + chosen.choice.why;
    ReactorBase::of(*reactor).log({LogLevel::kInfo, line});
  }
  return reactor;
}

std::vector<Capability> capabilities() {
  std::vector<Capability> list;
  for (const BackendRow* row : kRows) row->addCapabilities(list);
  addSplicing(list);
  return list;
}

}  // namespace penstock
