#include <penstock/sim/file.h>

namespace penstock::sim {

void File::notify(std::uint32_t events) {
  std::erase_if(watches_, [](const std::weak_ptr<Watch>& watch) { return watch.expired(); });
  for (const std::weak_ptr<Watch>& entry : watches_) {
    const std::shared_ptr<Watch> watch = entry.lock();
    if (events == 0 || (watch->interest & events)) watch->pending = true;
  }
}

std::size_t sizeOf(std::span<const iovec> runs) noexcept {
  std::size_t size = 0;
  for (const iovec& run : runs) size += run.iov_len;
  return size;
}

}  // namespace penstock::sim
