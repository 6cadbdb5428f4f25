// SocketFile: the file of a UNIX socket, from bind to removal. A part of unix_socket.cpp.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/transports/address.h>

#include <sys/stat.h>

#include <string>

namespace penstock {

// Holds the directory of `path` locked (flock), unless another process keeps it or it cannot be
// read.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& path);
  bool held() const noexcept { return static_cast<bool>(directory_); }

 private:
  OwnedFd directory_;
};

// The file that a socket is bound to. Removed when this is destroyed.
class SocketFile {
 public:
  // Binds `fd` at `at`. A file in the way is replaced if `replaceStale` and connecting to it is
  // refused. Throws std::system_error that names the address.
  static SocketFile bind(int fd, const Address& at, bool replaceStale);

  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile() { remove(); }

  void setMode(mode_t mode);

  // Does nothing the second time, or where another file has taken its place.
  void remove() noexcept;

 private:
  explicit SocketFile(std::string path);

  std::string path_;  // Empty once removed.
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace penstock
