#include <penstock/tests/support/recording_protocol.h>

#include <algorithm>
#include <stdexcept>

namespace penstock::testing {
namespace {

std::uint64_t writtenDown = 0;

}  // namespace

std::uint64_t eventsWrittenDown() { return writtenDown; }

void eventWrittenDown() { ++writtenDown; }

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

}  // namespace penstock::testing
