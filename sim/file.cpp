#include <penstock/sim/file.h>

#include <algorithm>

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

std::vector<iovec> firstOf(std::vector<iovec> runs, std::size_t count) {
  for (iovec& run : runs) {
    run.iov_len = std::min(run.iov_len, count);
    count -= run.iov_len;
  }
  return runs;
}

}  // namespace penstock::sim
