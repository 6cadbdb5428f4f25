// Producers that write down how they are driven.
#pragma once

#include <penstock/runtime/producer.h>
#include <penstock/tests/support/recording_protocol.h>

#include <cstdint>
#include <functional>
#include <string>

namespace penstock::testing {

// Records "pause", "resume" and "stop", and does what a test hooks into each.
class ScriptedProducer final : public Producer, public Diary {
 public:
  ScriptedProducer() : Diary("producer") {}

  std::function<void()> onPause;
  std::function<void()> onResume;
  std::function<void()> onStop;

  int count(const std::string& event) const;

  void pauseProducing() override;
  void resumeProducing() override;
  void stopProducing() override;
};

// Writes `total` bytes of the pattern, `portion` at a time, then unregisters: until told to hold
// if it streams, one portion for each demand otherwise.
class PatternProducer final : public Producer {
 public:
  PatternProducer(std::uint64_t total, std::size_t portion) : total_(total), portion_(portion) {}

  // Registers with `consumer` and, if it streams, begins.
  void start(Consumer& consumer, Production production);

  std::function<void()> onWritten;  // After each portion.

  // Called when all was written, after unregistering.
  std::function<void()> onDone;

  std::uint64_t produced() const noexcept { return produced_; }
  int pauses() const noexcept { return pauses_; }
  int resumes() const noexcept { return resumes_; }
  bool stopped() const noexcept { return stopped_; }

  void pauseProducing() override;
  void resumeProducing() override;
  void stopProducing() override { stopped_ = true; }

 private:
  void produceOne();
  void produceUntilPaused();
  bool finishIfDone();

  Consumer* consumer_ = nullptr;
  Production production_ = Production::kStreaming;
  std::uint64_t total_;
  std::size_t portion_;
  std::uint64_t produced_ = 0;
  int pauses_ = 0;
  int resumes_ = 0;
  bool paused_ = false;
  bool stopped_ = false;
};

}  // namespace penstock::testing
