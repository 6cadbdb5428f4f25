// UNIX sockets: paths and abstract names, permissions, and files left behind.
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/tcp.h>
#include <penstock/transports/unix_socket.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(unix_socket_test)

namespace {

namespace fs = std::filesystem;

// A directory of its own for each test case.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "penstock-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()));
    path_ = name;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

struct Unix {
  Recorder client, server;
  TemporaryDirectory directory;
  const std::string path = directory.file("socket");
  const Address at = Address::unixPath(path);
  std::optional<std::error_code> failed;
  ReactorFixture loop;

  Listener& listenAt(const Address& address, const UnixListenOptions& options = {}) {
    return listenUnix(
        loop.reactor(), address, [this] { return server.makeProtocol(); }, options);
  }
  void startConnecting(const Address& to) {
    connectUnix(
        loop.reactor(), to, [this] { return client.makeProtocol(); },
        [this](std::error_code why) { failed = why; });
  }
  void connectTo(const Address& to) {
    startConnecting(to);
    loop.runUntil([&] { return failed || (client.made() && server.made()); }, "the connection");
    BOOST_REQUIRE(!failed);
  }

  std::error_code errorOfListening(const UnixListenOptions& options = {}) {
    try {
      listenAt(at, options);
    } catch (const std::system_error& error) {
      BOOST_TEST(std::string(error.what()).starts_with("bind unix:" + path + ": "));
      return error.code();
    }
    return {};
  }

  // What a killed process leaves: a socket file that nobody listens at.
  void leaveStaleFile() {
    const OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    BOOST_TEST_REQUIRE(::bind(fd.get(), at.data(), at.length()) == 0);
    BOOST_TEST_REQUIRE(::listen(fd.get(), 1) == 0);
  }
};

mode_t permissionsOf(const std::string& path) {
  struct stat status {};
  BOOST_TEST_REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

// What is in the file system needs the real kernel; the simulated one has names only.
BOOST_AUTO_TEST_SUITE(paths, *precondition(onRealKernel))

BOOST_FIXTURE_TEST_CASE(a_path_carries_bytes_both_ways_and_is_the_address, Unix) {
  Listener& listener = listenAt(at);
  connectTo(at);

  client.transport().write(asBytes("there"));
  server.transport().write(asBytes("back"));
  loop.runUntil([&] { return server.received == "there" && client.received == "back"; }, "bytes");

  BOOST_TEST(getHost(listener) == at);
  BOOST_TEST(getPeer(client.transport()) == at);
  BOOST_TEST(getPeer(server.transport()).text() == "unix:");
}

BOOST_FIXTURE_TEST_CASE(the_path_is_removed_when_listening_stops, Unix) {
  Listener& listener = listenAt(at);
  BOOST_TEST(fs::exists(path));
  connectTo(at);

  listener.stopListening();

  BOOST_TEST(!fs::exists(path));
  client.transport().write(asBytes("still here"));
  loop.runUntil([&] { return server.received == "still here"; }, "the bytes");
}

BOOST_FIXTURE_TEST_CASE(the_path_is_removed_with_the_reactor, Unix) {
  listenAt(at);

  loop.destroy();

  BOOST_TEST(!fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(the_path_can_be_listened_at_again_in_the_same_turn, Unix) {
  listenAt(at).stopListening();

  Listener& again = listenAt(at);
  loop.settle();

  BOOST_TEST(fs::exists(path));
  connectTo(at);
  again.stopListening();
  BOOST_TEST(!fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(stopping_twice_in_a_turn_is_stopping_once, Unix) {
  Listener& listener = listenAt(at);

  listener.stopListening();
  listener.stopListening();

  BOOST_TEST(!fs::exists(path));
  loop.settle();
}

BOOST_FIXTURE_TEST_CASE(draining_removes_the_path_at_once_and_ends_the_connections, Unix) {
  bool done = false;
  UnixListenOptions options;
  options.mostConnections = 4;
  Listener& listener = listenAt(at, options);
  connectTo(at);
  BOOST_TEST(listener.connections() == 1U);

  listener.drain(std::chrono::seconds(10), [&] { done = true; });
  BOOST_TEST(!fs::exists(path));
  loop.runUntil([&] { return done && client.lost; }, "the drain");

  BOOST_TEST(server.lost);
}

BOOST_FIXTURE_TEST_CASE(the_peer_of_a_connection_that_is_over_is_still_known, Unix) {
  std::string peer, host;
  client.onLost = [&](std::error_code) {
    peer = getPeer(client.transport()).text();
    host = getHost(client.transport()).text();
  };
  listenAt(at);
  connectTo(at);

  server.transport().loseConnection();
  loop.runUntil([&] { return client.lost; }, "the end");

  BOOST_TEST(peer == "unix:" + path);
  BOOST_TEST(host == "unix:");
}

BOOST_FIXTURE_TEST_CASE(a_path_is_removed_when_the_factory_is_refused, Unix) {
  BOOST_CHECK_THROW(listenUnix(loop.reactor(), at, nullptr), std::invalid_argument);

  BOOST_TEST(!fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(a_file_that_has_taken_the_place_of_ours_is_left_alone, Unix) {
  Listener& listener = listenAt(at);
  fs::remove(path);
  std::ofstream(path) << "precious";

  listener.stopListening();

  BOOST_TEST(fs::file_size(path) == 8);
}

BOOST_FIXTURE_TEST_CASE(a_file_left_behind_is_replaced, Unix) {
  leaveStaleFile();

  listenAt(at);

  connectTo(at);
}

BOOST_FIXTURE_TEST_CASE(a_file_left_behind_is_in_the_way_where_that_is_wanted, Unix) {
  leaveStaleFile();

  BOOST_TEST(errorOfListening({.replaceStale = false}) == std::errc::address_in_use);
  BOOST_TEST(fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(a_path_that_somebody_listens_at_is_in_use_and_stays, Unix) {
  listenAt(at);

  BOOST_TEST(errorOfListening() == std::errc::address_in_use);

  connectTo(at);
}

BOOST_FIXTURE_TEST_CASE(a_listener_whose_backlog_is_full_is_not_taken_for_stale, Unix) {
  const OwnedFd busy(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  BOOST_TEST_REQUIRE(::bind(busy.get(), at.data(), at.length()) == 0);
  BOOST_TEST_REQUIRE(::listen(busy.get(), 0) == 0);
  const OwnedFd waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  BOOST_TEST_REQUIRE(::connect(waiting.get(), at.data(), at.length()) == 0);

  BOOST_TEST(errorOfListening() == std::errc::address_in_use);

  BOOST_TEST(fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(a_file_that_is_no_socket_is_in_use_and_stays, Unix) {
  std::ofstream(path) << "precious";

  BOOST_TEST(errorOfListening() == std::errc::address_in_use);

  BOOST_TEST(fs::file_size(path) == 8);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_replaced_while_another_process_is_at_it, Unix) {
  leaveStaleFile();
  const OwnedFd lock(::open(fs::path(path).parent_path().c_str(), O_RDONLY | O_CLOEXEC));
  BOOST_TEST_REQUIRE(::flock(lock.get(), LOCK_EX) == 0);

  BOOST_TEST(errorOfListening() == std::errc::address_in_use);

  BOOST_TEST(fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(the_permissions_of_the_file_can_be_chosen, Unix) {
  listenAt(at, {.mode = 0600});

  BOOST_TEST(permissionsOf(path) == 0600);
}

BOOST_FIXTURE_TEST_CASE(without_a_choice_the_umask_decides, Unix) {
  const mode_t before = ::umask(0027);
  listenAt(at);
  ::umask(before);

  BOOST_TEST(permissionsOf(path) == 0750);
}

BOOST_FIXTURE_TEST_CASE(a_directory_that_is_not_there_is_named_in_the_error, Unix) {
  const Address nowhere = Address::unixPath(directory.file("none/socket"));

  std::string complaint;
  try {
    listenAt(nowhere);
  } catch (const std::system_error& error) {
    complaint = error.what();
  }

  BOOST_TEST(complaint == "bind " + nowhere.text() + ": No such file or directory");
}

BOOST_FIXTURE_TEST_CASE(connecting_where_nobody_listens_fails, Unix) {
  startConnecting(at);
  loop.runUntil([&] { return failed.has_value(); }, "the failure");
  BOOST_TEST(*failed == std::errc::no_such_file_or_directory);

  failed.reset();
  leaveStaleFile();
  startConnecting(at);
  loop.runUntil([&] { return failed.has_value(); }, "the refusal");
  BOOST_TEST(*failed == std::errc::connection_refused);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_CASE(an_abstract_name_carries_bytes_and_needs_no_file, Unix) {
  const Address name = Address::unixAbstract(path);
  Listener& listener = listenAt(name);
  connectTo(name);

  client.transport().write(asBytes("there"));
  loop.runUntil([&] { return server.received == "there"; }, "the bytes");

  BOOST_TEST(getHost(listener) == name);
  BOOST_TEST(!fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(an_abstract_name_in_use_is_named_in_the_error, Unix) {
  const Address name = Address::unixAbstract(path);
  listenAt(name);

  std::string complaint;
  try {
    listenAt(name);
  } catch (const std::system_error& error) {
    complaint = error.what();
  }

  BOOST_TEST(complaint == "bind unix:@" + path + ": Address already in use");
}

BOOST_FIXTURE_TEST_CASE(a_half_close_goes_over_a_unix_socket, Unix) {
  const Address name = Address::unixAbstract(path);
  server.halfCloseable = true;
  server.onReadLost = [this] {
    server.transport().write(asBytes("answer"));
    server.transport().loseConnection();
  };
  client.halfCloseable = true;
  listenAt(name);
  connectTo(name);

  client.transport().loseWriteConnection();
  loop.runUntil([&] { return client.heard("readLost"); }, "the answer and its end");

  BOOST_TEST(client.received == "answer");
}

BOOST_FIXTURE_TEST_CASE(internet_addresses_are_not_for_unix_sockets, Unix) {
  BOOST_CHECK_THROW(listenAt(Address::loopback(0)), std::invalid_argument);
  BOOST_CHECK_THROW(startConnecting(Address::loopback(1)), std::invalid_argument);
}

BOOST_FIXTURE_TEST_CASE(where_the_backlog_is_full_connecting_waits_within_the_timeout, Unix) {
  std::unique_ptr<Recorder> recorders[4];
  OwnedFd listener = streamSocket(loop.reactor(), AF_UNIX);
  bindSocket(listener.get(), at);
  BOOST_REQUIRE(socketCalls().listen(listener.get(), 0) == 0);
  int timedOut = 0;
  int failures = 0;
  const TimePoint start = loop->now();
  for (auto& recorder : recorders) {
    recorder = std::make_unique<Recorder>();
    connectUnix(
        loop.reactor(), at, [&recorder] { return recorder->makeProtocol(); },
        [&](std::error_code why) {
          ++failures;
          timedOut += why == ConnectionError::kTimedOut;
        },
        {.timeout = std::chrono::milliseconds(50)});
  }
  const auto made = [&] {
    return static_cast<int>(
        std::ranges::count_if(recorders, [](auto& each) { return each->made(); }));
  };

  loop.runUntil([&] { return made() + failures == 4; }, "all outcomes");

  BOOST_TEST(failures > 0);
  BOOST_TEST(timedOut == failures);
  BOOST_CHECK(loop->now() - start >= std::chrono::milliseconds(50));
  loop.destroy();  // Before the recorders.
}

BOOST_AUTO_TEST_SUITE_END()
