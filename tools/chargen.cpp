// penstock chargen: sends a rotating pattern of characters for as long as it is read (RFC 864).
#include <penstock/tools/command.h>
#include <penstock/tools/session.h>

#include <algorithm>
#include <array>
#include <memory>

namespace penstock::tools {
namespace {

constexpr std::size_t kCharacters = '~' - ' ' + 1;  // The printable ones of ASCII.
constexpr std::size_t kColumns = 72;
constexpr std::size_t kLine = kColumns + 2;
constexpr std::size_t kRotation = kLine * kCharacters;  // After which the pattern starts again.
constexpr std::size_t kPortion = 8 * kRotation;         // About 56 KB, one write.

// Each line starts one character further on than the line before.
constexpr std::array<char, kPortion> makePattern() {
  std::array<char, kPortion> pattern{};
  for (std::size_t at = 0; at < kPortion; ++at) {
    const std::size_t line = at / kLine;
    const std::size_t column = at % kLine;
    if (column < kColumns) {
      pattern[at] = static_cast<char>(' ' + (line + column) % kCharacters);
    } else {
      pattern[at] = column == kColumns ? '\r' : '\n';
    }
  }
  return pattern;
}

constexpr std::array<char, kPortion> kPattern = makePattern();

// A pull producer: it is asked for a portion whenever the one before has been sent, so a reader
// that stops costs one portion, which is not even copied.
class ChargenSession final : public Session, private Producer {
 public:
  using Session::Session;

 private:
  void opened() override { transport().registerProducer(*this, Production::kPull); }
  void received(Bytes) override {}  // RFC 864: thrown away.
  void inputEnded() override {}     // The peer may still want to read.

  void resumeProducing() override {
    const std::uint64_t left = server().options().bytesLimit - sentBytes();
    const Buffer portion = Buffer::ofStatic(asBytes({kPattern.data(), kPattern.size()}));
    send(portion.slice(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, kPortion))));
    if (left <= kPortion) finish();
  }
  void pauseProducing() override {}  // Of streaming producers only.
  void stopProducing() override {}
};

void chargen(const ServerOptions& options) {
  Server server(options);
  server.serve([&server] { return std::make_unique<ChargenSession>(server); });
}

}  // namespace

void addChargen(CLI::App& app) {
  addServerCommand(app, "chargen", "Sends a pattern of characters without end (RFC 864)", &chargen);
}

}  // namespace penstock::tools
