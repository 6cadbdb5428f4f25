// Cell: one point of the matrix, the same for every engine.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::compare {

// How the load generator moves the bytes of messages, by the kernel's names.
inline constexpr std::string_view kUringClient = "io_uring";
inline constexpr std::string_view kEpollClient = "epoll";

// What is asked of a server. Which members mean something is up to the workload.
struct Cell {
  std::string workload;
  std::string variant;  // The workload's own word, as "up" for stream; empty: its usual form.
  std::string group;    // Cells of one group are summed up as one figure; empty: none.
  std::string metric;   // What it is about, if that is not the workload's primary metric.
  unsigned connections = 1;
  std::size_t size = 64;  // Bytes of a message, or of one write where there are no messages.
  unsigned depth = 1;     // Messages in flight on each connection.
  unsigned workUs = 0;    // Busy time of the server for each message.
  std::string client{kEpollClient};  // What the load generator is on.
  double load = 0;  // Open loop at this share of the capacity; 0: closed loop, saturated.

  bool open() const noexcept { return load > 0; }

  // The same cell saturated, which is where the capacity comes from.
  Cell closed() const;

  bool operator==(const Cell&) const = default;
};

// A short name without spaces, different for different cells: "echo/c50/64/d1", "…@75%".
std::string nameOf(const Cell& cell);

// "64 B", "16 KiB", "1 MiB".
std::string sizeText(std::size_t bytes);

nlohmann::json toJson(const Cell& cell);
// Throws nlohmann::json::exception if `json` is not a cell.
Cell cellFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
