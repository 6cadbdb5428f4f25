#include <penstock/runtime/core/connection_names.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace penstock {
namespace {

using Raw = std::array<std::uint8_t, 16>;

constexpr std::size_t kInWord = 8;        // Bytes of an address that a word can keep:
constexpr unsigned kHighestFamily = 255;  // two of them as one, to make room for the length.

SocketAddress addressOf(const std::uint8_t* bytes, std::size_t length) noexcept {
  if (length == 0) return {};
  return {reinterpret_cast<const sockaddr*>(bytes), static_cast<socklen_t>(length)};
}

bool fitsWord(const SocketAddress& address) noexcept {
  if (address.length() < sizeof(sa_family_t) || address.length() > sizeof(Raw)) return false;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(address.data());
  const std::span<const std::uint8_t> rest(bytes + kInWord, sizeof(Raw) - kInWord);
  return address.family() <= static_cast<int>(kHighestFamily) &&
         std::ranges::all_of(rest, [](std::uint8_t byte) { return byte == 0; });
}

std::uint64_t packed(const SocketAddress& address) noexcept {
  std::uint64_t word = 2 * static_cast<std::uint64_t>(address.length()) + 1;
  word |= static_cast<std::uint64_t>(address.family()) << 8;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(address.data());
  for (std::size_t i = sizeof(sa_family_t); i < kInWord; ++i) {
    word |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return word;
}

SocketAddress unpacked(std::uint64_t word) noexcept {
  Raw bytes{};
  const auto family = static_cast<sa_family_t>(word >> 8 & kHighestFamily);
  std::memcpy(bytes.data(), &family, sizeof family);
  for (std::size_t i = sizeof family; i < kInWord; ++i) {
    bytes[i] = static_cast<std::uint8_t>(word >> (8 * i));
  }
  return addressOf(bytes.data(), (word & 0xff) / 2);
}

}  // namespace

void ConnectionNames::keep(const SocketAddress& peer, const SocketAddress& host) {
  std::uint64_t next = 0;
  if (host.empty() && fitsWord(peer)) {
    next = packed(peer);
  } else if (!host.empty() || !peer.empty()) {
    auto* bytes = new std::uint8_t[2 + peer.length() + host.length()];
    bytes[0] = static_cast<std::uint8_t>(peer.length());
    bytes[1] = static_cast<std::uint8_t>(host.length());
    std::memcpy(bytes + 2, peer.data(), peer.length());
    std::memcpy(bytes + 2 + peer.length(), host.data(), host.length());
    next = reinterpret_cast<std::uintptr_t>(bytes);
  }
  clear();
  word_ = next;
}

SocketAddress ConnectionNames::peer() const noexcept {
  if (inWord()) return unpacked(word_);
  return word_ ? addressOf(block() + 2, block()[0]) : SocketAddress();
}

SocketAddress ConnectionNames::host() const noexcept {
  if (inWord() || !word_) return {};
  return addressOf(block() + 2 + block()[0], block()[1]);
}

void ConnectionNames::clear() noexcept {
  if (!inWord()) delete[] block();
  word_ = 0;
}

}  // namespace penstock
