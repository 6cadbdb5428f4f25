// Which backends there are, which one works here, and why.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/reactor.h>

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

// "epoll", "uring" or "auto".
PENSTOCK_API std::string_view nameOf(Backend backend) noexcept;

// Throws std::invalid_argument that lists the names there are.
PENSTOCK_API Backend backendNamed(std::string_view name);

// What was chosen, and in one sentence why.
struct BackendChoice {
  Backend backend;
  std::string why;
};

// The backend that Reactor::create() would use for `asked`, found in the same way: a ring of the
// size that a reactor takes is made and given back. PENSTOCK_BACKEND, read before any io_uring
// system call, decides for kAuto. Throws as Reactor::create() does.
PENSTOCK_API BackendChoice chooseBackend(Backend asked = Backend::kAuto);

// One thing the kernel was asked for by trying it.
struct Capability {
  std::string name;  // The kernel's word for it.
  bool works;
  std::string use;     // What the library uses it for.
  std::string remedy;  // What to do about it when missing.
};

// Every kernel capability that the library uses, tried now. Makes io_uring system calls unless
// io_uring is out of use.
PENSTOCK_API std::vector<Capability> capabilities();

}  // namespace penstock
