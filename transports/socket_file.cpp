#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/transports/socket_file.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

namespace penstock {
namespace {

// Another process holds the lock for a few system calls; one that keeps it is not waited for.
constexpr int kTries = 20;
constexpr auto kBetweenTries = std::chrono::milliseconds(2);

// Only a refusal proves that nobody listens: a full backlog or a missing permission does not.
bool isStale(const Address& at) {
  struct stat status;
  if (::lstat(at.path().c_str(), &status) < 0 || !S_ISSOCK(status.st_mode)) return false;
  const int flags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const OwnedFd probe(std::max(-1, socketCalls().socket(AF_UNIX, flags, 0)));
  if (!probe) return false;
  return socketCalls().connect(probe.get(), at.data(), at.length()) == -ECONNREFUSED;
}

}  // namespace

DirectoryLock::DirectoryLock(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  directory_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; directory_ && i < kTries; ++i) {
    if (::flock(directory_.get(), LOCK_EX | LOCK_NB) == 0) return;
    std::this_thread::sleep_for(kBetweenTries);
  }
  directory_.reset();
}

SocketFile SocketFile::bind(int fd, const Address& at, bool replaceStale) {
  int result = socketCalls().bind(fd, at.data(), at.length());
  if (result == -EADDRINUSE && replaceStale && isStale(at)) {
    ::unlink(at.path().c_str());
    result = socketCalls().bind(fd, at.data(), at.length());
  }
  if (result < 0) throwErrno(result, "bind " + at.text());
  return SocketFile(at.path());
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat status;
  if (::lstat(path_.c_str(), &status) < 0) throwErrno(-errno, "lstat unix:" + path_);
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

void SocketFile::setMode(mode_t mode) {
  if (::chmod(path_.c_str(), mode) < 0) throwErrno(-errno, "chmod unix:" + path_);
}

void SocketFile::remove() noexcept {
  const std::string path = std::exchange(path_, {});
  struct stat status;
  if (path.empty() || ::lstat(path.c_str(), &status) < 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path.c_str());
}

}  // namespace penstock
