#include <penstock/tests/support/recording_protocol.h>

#include <algorithm>
#include <stdexcept>

namespace penstock::testing {
namespace {

constexpr std::size_t kMostDiariesTold = 16;
constexpr std::size_t kMostEventsTold = 16;

std::uint64_t writtenDown = 0;

// In the order of their making. Never destroyed: some diaries are statics.
std::vector<const Diary*>& living() {
  static auto* const all = new std::vector<const Diary*>;
  return *all;
}

std::string lastOf(const std::vector<std::string>& events) {
  const std::size_t first = events.size() - std::min(events.size(), kMostEventsTold);
  std::string text = first > 0 ? " ..." : "";
  for (std::size_t i = first; i < events.size(); ++i)
    text += (text.empty() ? " " : ", ") + events[i];
  return text.empty() ? " nothing" : text;
}

}  // namespace

std::uint64_t eventsWrittenDown() { return writtenDown; }

void eventWrittenDown() { ++writtenDown; }

Diary::Diary(const char* whose) : whose_(whose) { living().push_back(this); }

Diary::~Diary() {
  const auto from = std::find(living().rbegin(), living().rend(), this);  // Most die young.
  living().erase(from.base() - 1);
}

std::vector<std::string> diaries() {
  std::vector<std::string> lines;
  for (const Diary* diary : living()) {
    if (lines.size() == kMostDiariesTold) return lines.emplace_back("and others"), lines;
    const std::string number = std::to_string(lines.size() + 1);
    lines.push_back(number + ", a " + diary->whose_ + ":" + lastOf(diary->events));
  }
  return lines;
}

class RecordingProtocol final : public Protocol {
 public:
  explicit RecordingProtocol(Recorder& recorder) : recorder_(recorder) {}

  void connectionMade(Transport& transport) override {
    eventWrittenDown();
    recorder_.transport_ = &transport;
    recorder_.events.emplace_back("made");
    if (recorder_.onMade) recorder_.onMade(transport);
  }

  void dataReceived(Bytes bytes) override {
    eventWrittenDown();
    if (recorder_.events.back() != "data") recorder_.events.emplace_back("data");
    if (recorder_.keepsData) recorder_.received += asText(bytes);
    if (recorder_.onData) recorder_.onData(bytes);
  }

  bool isHalfCloseable() const noexcept override { return recorder_.halfCloseable; }

  void readConnectionLost() override {
    eventWrittenDown();
    recorder_.events.emplace_back("readLost");
    if (recorder_.onReadLost) recorder_.onReadLost();
  }

  void writeConnectionLost() override {
    eventWrittenDown();
    recorder_.events.emplace_back("writeLost");
    if (recorder_.onWriteLost) recorder_.onWriteLost();
  }

  void connectionLost(std::error_code why) override {
    eventWrittenDown();
    recorder_.events.push_back(why ? "lost: " + why.message() : "lost");
    recorder_.why = why;
    recorder_.lost = true;
    const Recorder::Leave leave{recorder_};
    if (recorder_.onLost) recorder_.onLost(why);
  }

 private:
  Recorder& recorder_;
};

std::unique_ptr<Protocol> Recorder::makeProtocol() {
  return std::make_unique<RecordingProtocol>(*this);
}

bool Recorder::heard(const std::string& event) const {
  return std::find(events.begin(), events.end(), event) != events.end();
}

Transport& Recorder::transport() const {
  if (!transport_) throw std::logic_error("the test uses a transport that is not there");
  return *transport_;
}

bool endedOnce(const Recorder& side) {
  const auto lost = [](const std::string& event) { return event.substr(0, 4) == "lost"; };
  return std::ranges::count_if(side.events, lost) == 1 && lost(side.events.back());
}

}  // namespace penstock::testing
