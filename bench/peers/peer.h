// What the hand-written servers share: their command line, their ready line, their workloads.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <concepts>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace peer {

enum class Workload { kEcho, kSink, kSource, kRelay, kCompute, kTimers };

struct Options {
  Workload workload = Workload::kEcho;
  std::uint16_t port = 0;
  std::size_t size = 64;  // compute: bytes of one message.
  unsigned workUs = 0;    // compute: busy time for each message.
  sockaddr_in to{};       // relay: where it connects to.
};

// timers: how long a connection waits for its next message before it is closed. Each message
// cancels the timer and arms it again.
inline constexpr std::chrono::seconds kPatience{30};

// What one send of the workload source hands over.
inline constexpr std::size_t kChunk = 65536;

// A message is echoed from a buffer of this size where the library wants one for itself.
inline constexpr std::size_t kReceive = 65536;

[[noreturn]] inline void refuse(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(2);
}

template <std::unsigned_integral Number>
Number numberOf(std::string_view option, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  refuse(std::string(option) + ": '" + std::string(text) + "' is not a number in its range");
}

inline Workload workloadNamed(std::string_view name) {
  constexpr std::pair<std::string_view, Workload> kNames[] = {
      {"echo", Workload::kEcho},       {"churn", Workload::kEcho},    {"idle", Workload::kEcho},
      {"sink", Workload::kSink},       {"source", Workload::kSource}, {"relay", Workload::kRelay},
      {"compute", Workload::kCompute}, {"timers", Workload::kTimers},
  };
  for (const auto& [known, workload] : kNames) {
    if (name == known) return workload;
  }
  refuse("--workload: there is no '" + std::string(name) + "'");
}

inline sockaddr_in addressOf(std::string_view option, std::string_view text) {
  const std::size_t colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const std::string host(text.substr(0, colon));
  if (colon == text.npos || ::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    refuse(std::string(option) + ": '" + std::string(text) + "' is not ADDRESS:PORT");
  }
  address.sin_port = htons(numberOf<std::uint16_t>(option, text.substr(colon + 1)));
  return address;
}

// The options that an engine has for itself: reads one of them and returns true, or false if it
// has none of that name. `value` gives the word behind the name.
struct NoMoreOptions {
  template <class Value>
  bool operator()(std::string_view, Value) const {
    return false;
  }
};

// Reads the command line, or leaves with status 2 and one line that says why.
template <class More = NoMoreOptions>
Options optionsOf(int argc, char** argv, More more = {}) {
  Options options;
  int at = 1;
  for (; at < argc; ++at) {
    const std::string_view name = argv[at];
    const auto value = [&]() -> std::string_view {
      if (++at == argc) refuse(std::string(name) + " needs a value");
      return argv[at];
    };
    if (name == "--workload") {
      options.workload = workloadNamed(value());
    } else if (name == "--port") {
      options.port = numberOf<std::uint16_t>(name, value());
    } else if (name == "--size") {
      options.size = numberOf<std::size_t>(name, value());
    } else if (name == "--work-us") {
      options.workUs = numberOf<unsigned>(name, value());
    } else if (name == "--to") {
      options.to = addressOf(name, value());
    } else if (!more(name, value)) {
      refuse("there is no option " + std::string(name));
    }
  }
  if (options.size == 0) refuse("--size: a message has at least one byte");
  if (options.workload == Workload::kRelay && options.to.sin_port == 0) {
    refuse("--workload relay needs --to ADDRESS:PORT");
  }
  return options;
}

inline void check(long result, const char* call) {
  if (result >= 0) return;
  std::fprintf(stderr, "%s: %s\n", call, std::strerror(errno));
  std::exit(1);
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

inline void setNoDelay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// The port is in use, or not ours to have.
[[noreturn]] inline void refusePort(std::uint16_t port, const std::string& why) {
  refuse("cannot listen on 127.0.0.1:" + std::to_string(port) + ": " + why);
}

// A listening socket on 127.0.0.1. TCP_NODELAY is inherited by what it accepts.
inline int listenOn(std::uint16_t port, int flags) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  check(fd, "socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setNoDelay(fd);
  const sockaddr_in address = loopback(port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(fd, SOMAXCONN) < 0) {
    refusePort(port, std::strerror(errno));
  }
  return fd;
}

inline std::uint16_t portOf(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  check(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return ntohs(address.sin_port);
}

inline std::string kernelVersion() {
  utsname name{};
  ::uname(&name);
  return std::string("linux-") + name.release;
}

// What this process really waits in: what its descriptors are, not what was asked for.
inline std::string backendInUse() {
  bool ring = false;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry, gone);
    if (target == "anon_inode:[eventpoll]") return "epoll";
    if (target == "anon_inode:[io_uring]") ring = true;
  }
  return ring ? "io_uring" : "none";
}

// From here on the server serves, until SIGTERM or SIGINT ends it with status 0.
inline void announce(std::uint16_t port, const char* engine, const std::string& version) {
  const auto leave = [](int) { ::_exit(0); };
  std::signal(SIGTERM, leave);
  std::signal(SIGINT, leave);
  std::signal(SIGPIPE, SIG_IGN);
  std::printf("ready port=%u engine=%s version=%s backend=%s\n", unsigned{port}, engine,
              version.c_str(), backendInUse().c_str());
  std::fflush(stdout);
}

// The stream of the workload source: byte i is i mod 251. Any chunk of it is a part of this.
class Pattern {
 public:
  static constexpr std::size_t kPeriod = 251;

  explicit Pattern(std::size_t chunk = kChunk) : bytes_(chunk + kPeriod), chunk_(chunk) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i % kPeriod);
  }

  // What to send when `sent` bytes of the stream have gone.
  const char* at(std::uint64_t sent) const noexcept { return bytes_.data() + sent % kPeriod; }
  std::size_t chunk() const noexcept { return chunk_; }

 private:
  std::vector<char> bytes_;
  std::size_t chunk_;
};

// The work of one connection: a core is kept busy once for each whole message received.
class Work {
 public:
  void received(std::size_t bytes, const Options& options) noexcept {
    if (options.workUs == 0) return;
    for (pending_ += bytes; pending_ >= options.size; pending_ -= options.size) {
      spin(std::chrono::microseconds(options.workUs));
    }
  }

 private:
  // While something else has the core does not count.
  static void spin(std::chrono::nanoseconds time) noexcept {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::microseconds kTakenAway{5};
    std::chrono::nanoseconds done{0};
    for (auto last = Clock::now(); done < time;) {
      const auto now = Clock::now();
      if (now - last < kTakenAway) done += now - last;
      last = now;
    }
  }

  std::size_t pending_ = 0;
};

}  // namespace peer
