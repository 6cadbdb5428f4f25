// A protocol that writes down what it hears, and does what a test hooks into each callback.
#pragma once

#include <penstock/runtime/transport.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace penstock::testing {

// How many events all recorders and scripted producers of this process have written down: stands
// still when nothing happens.
std::uint64_t eventsWrittenDown();
void eventWrittenDown();

// What one recorder or scripted producer has heard, in order. All that live are known, so that a
// test that waits in vain can tell what had been heard by then.
class Diary {
 public:
  explicit Diary(const char* whose);
  ~Diary();
  Diary(const Diary&) = delete;
  Diary& operator=(const Diary&) = delete;

  std::vector<std::string> events;

 private:
  friend std::vector<std::string> diaries();

  const char* const whose_;
};

// A line for each diary, or for the first of very many; of long ones the end.
std::vector<std::string> diaries();

// What one side of a connection heard. Made by the test before the reactor, so that it outlives
// the connection.
//
// Its events are "made", "data", "readLost", "writeLost", "lost" with the reason's message if there
// is one. Deliveries that follow each other are one "data", because where they are cut means
// nothing.
class Recorder : public Diary {
 public:
  Recorder() : Diary("protocol") {}

  // A protocol that tells this recorder. One at a time.
  std::unique_ptr<Protocol> makeProtocol();

  // Set these before. Each is called after its event was written down, and may do or throw
  // anything.
  std::function<void(Transport&)> onMade;
  std::function<void(Bytes)> onData;
  std::function<void()> onReadLost;
  std::function<void()> onWriteLost;
  std::function<void(std::error_code)> onLost;
  bool halfCloseable = false;
  bool keepsData = true;  // Off where a test counts gigabytes.

  std::string received;
  std::error_code why;
  bool lost = false;

  bool made() const noexcept { return !events.empty(); }
  bool heard(const std::string& event) const;

  // Good from "made" on until "lost" returned; a failure of the test otherwise.
  Transport& transport() const;
  bool connected() const noexcept { return transport_ != nullptr; }

 private:
  friend class RecordingProtocol;

  // The transport is good until onLost is over, however it ends.
  struct Leave {
    Recorder& recorder;
    ~Leave() { recorder.transport_ = nullptr; }
  };

  Transport* transport_ = nullptr;
};

// Whether it was lost, and heard of that once and of nothing more.
bool endedOnce(const Recorder& side);

}  // namespace penstock::testing
