#include <penstock/tests/support/simulated_file.h>

namespace penstock::simulated {

void File::notify(std::uint32_t events) {
  std::erase_if(watches_, [](const std::weak_ptr<Watch>& watch) { return watch.expired(); });
  for (const std::weak_ptr<Watch>& entry : watches_) {
    const std::shared_ptr<Watch> watch = entry.lock();
    if (events == 0 || (watch->interest & events)) watch->pending = true;
  }
}

}  // namespace penstock::simulated
