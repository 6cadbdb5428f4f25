// BackendRow: what the table of backends has of each family.
#pragma once

#include <penstock/runtime/backends.h>
#include <penstock/runtime/reactor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

// What a reactor of a family needs of the kernel, taken hold of before one is decided for.
class ReactorInWaiting {
 public:
  virtual ~ReactorInWaiting() = default;
  virtual std::unique_ptr<Reactor> make(ReactorOptions options) && = 0;
};

// Whether a family works here.
struct BackendOpening {
  std::unique_ptr<ReactorInWaiting> reactor;  // Null: it does not.
  std::string why;                            // In one sentence, either way.
  std::string remedy;                         // Where it does not.
};

struct BackendRow {
  Backend backend;
  bool built;             // Part of this build of the library.
  std::string_view name;  // In PENSTOCK_BACKEND.
  BackendOpening (*open)(const ReactorOptions& options);
  void (*addCapabilities)(std::vector<Capability>& list);
};

}  // namespace penstock
