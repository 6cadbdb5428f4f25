#include <penstock/tests/support/pattern.h>
#include <penstock/tests/support/recording_protocol.h>
#include <penstock/tests/support/scripted_producer.h>

#include <algorithm>

namespace penstock::testing {

int ScriptedProducer::count(const std::string& event) const {
  return static_cast<int>(std::count(events.begin(), events.end(), event));
}

void ScriptedProducer::pauseProducing() {
  eventWrittenDown();
  events.emplace_back("pause");
  if (onPause) onPause();
}

void ScriptedProducer::resumeProducing() {
  eventWrittenDown();
  events.emplace_back("resume");
  if (onResume) onResume();
}

void ScriptedProducer::stopProducing() {
  eventWrittenDown();
  events.emplace_back("stop");
  if (onStop) onStop();
}

void PatternProducer::start(Consumer& consumer, Production production) {
  consumer_ = &consumer;
  production_ = production;
  consumer.registerProducer(*this, production);
  if (production == Production::kStreaming) produceUntilPaused();
}

void PatternProducer::pauseProducing() {
  ++pauses_;
  paused_ = true;
}

void PatternProducer::resumeProducing() {
  ++resumes_;
  paused_ = false;
  if (production_ == Production::kStreaming) return produceUntilPaused();
  produceOne();
  finishIfDone();
}

void PatternProducer::produceUntilPaused() {
  while (!paused_ && !stopped_ && !finishIfDone()) produceOne();
}

void PatternProducer::produceOne() {
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(portion_, total_ - produced_));
  const Bytes bytes = patternAt(produced_, most);
  produced_ += bytes.size();
  consumer_->write(bytes);
  if (onWritten) onWritten();
}

bool PatternProducer::finishIfDone() {
  if (produced_ < total_) return false;
  consumer_->unregisterProducer();
  if (onDone) onDone();
  return true;
}

}  // namespace penstock::testing
