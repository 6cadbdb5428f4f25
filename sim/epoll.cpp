#include <penstock/sim/epoll.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace penstock::sim {
namespace {

std::uint32_t readinessOfReal(int fd, std::uint32_t interest) {
  pollfd asked{fd, static_cast<short>(interest & 0xffff), 0};
  return ::poll(&asked, 1, 0) > 0 ? static_cast<std::uint32_t>(asked.revents) : 0;
}

}  // namespace

int Epoll::control(int operation, int fd, const std::shared_ptr<File>& file,
                   const epoll_event* event) {
  std::erase_if(entries_, [](const Entry& e) { return !e.real && e.watch->file.expired(); });
  const auto entry = find(fd, file);
  switch (operation) {
    case EPOLL_CTL_ADD: {
      if (entry != entries_.end()) return -EEXIST;
      auto watch = std::make_shared<Watch>(Watch{fd, file, event->events, event->data, true});
      if (file) file->observe(watch);
      entries_.push_back({std::move(watch), !file});
      return 0;
    }
    case EPOLL_CTL_MOD:
      if (entry == entries_.end()) return -ENOENT;
      entry->watch->interest = event->events;
      entry->watch->data = event->data;
      entry->watch->pending = true;
      return 0;
    case EPOLL_CTL_DEL:
      if (entry == entries_.end()) return -ENOENT;
      entries_.erase(entry);
      return 0;
    default:
      return -EINVAL;
  }
}

std::list<Epoll::Entry>::iterator Epoll::find(int fd, const std::shared_ptr<File>& file) {
  return std::ranges::find_if(entries_, [&](const Entry& entry) {
    return entry.watch->fd == fd && entry.real == !file && entry.watch->file.lock() == file;
  });
}

// Real descriptors have no edges here.
std::uint32_t Epoll::reportOf(const Entry& entry) const {
  const Watch& watch = *entry.watch;
  const std::uint32_t interest = watch.interest | EPOLLERR | EPOLLHUP;
  if (entry.real) return readinessOfReal(watch.fd, interest) & interest;
  const std::shared_ptr<File> file = watch.file.lock();
  if (!file || !watch.pending) return 0;
  return file->takeFalseReport().value_or(file->readiness()) & interest;
}

int Epoll::collect(std::span<epoll_event> into) {
  std::size_t count = 0;
  std::list<Entry> reported;
  for (auto entry = entries_.begin(); entry != entries_.end() && count < into.size();) {
    const auto here = entry++;
    Watch& watch = *here->watch;
    const std::uint32_t events = reportOf(*here);
    if (events == 0) {
      watch.pending = false;
      continue;
    }
    if (watch.interest & EPOLLET) watch.pending = false;
    into[count].events = events;
    into[count].data = watch.data;
    ++count;
    reported.splice(reported.end(), entries_, here);
  }
  entries_.splice(entries_.end(), reported);  // Their next turn comes after all others'.
  if (count > 1 && world_.chance(world_.faults().reorder)) {
    std::swap(into[0], into[world_.between(1, count - 1)]);
  }
  return static_cast<int>(count);
}

void Epoll::forEachReal(const std::function<void(int)>& visit) const {
  for (const Entry& entry : entries_) {
    if (entry.real) visit(entry.watch->fd);
  }
}

}  // namespace penstock::sim
