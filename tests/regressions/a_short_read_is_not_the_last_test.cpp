// A read that brought less than there was room for counted as having emptied the socket. It also
// ends before urgent data, and at each message of a UNIX socket that carries a descriptor: on
// epoll, edge-triggered, what lay behind was read only when more came.
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <cstring>
#include <string>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(a_short_read_is_not_the_last_test)

namespace {

void sendAll(int fd, const std::string& text, int flags = 0) {
  const ssize_t sent = ::send(fd, text.data(), text.size(), flags | MSG_NOSIGNAL);
  BOOST_TEST_REQUIRE(sent == static_cast<ssize_t>(text.size()));
}

void sendWithDescriptor(int fd, std::string text) {
  iovec run{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &run;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int passed = STDIN_FILENO;
  std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  BOOST_TEST_REQUIRE(::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(bytes_behind_urgent_data_are_delivered, *precondition(onRealKernel)) {
  Recorder server;
  ReactorFixture loop;
  const OwnedFd peer = loop.connectRawPeer(server);

  sendAll(peer.get(), "abc");
  sendAll(peer.get(), "!", MSG_OOB);
  sendAll(peer.get(), "def");

  loop.runUntil([&] { return server.received == "abcdef"; }, "the bytes behind the urgent one");
}

BOOST_AUTO_TEST_CASE(bytes_behind_a_message_with_a_descriptor_are_delivered,
                     *precondition(onRealKernel)) {
  Recorder server;
  ReactorFixture loop;
  const OwnedFd peer = loop.connectRawPeer(server, SocketFamily::kUnix);

  sendAll(peer.get(), "abc");
  sendWithDescriptor(peer.get(), "def");
  sendAll(peer.get(), "ghi");

  loop.runUntil([&] { return server.received == "abcdefghi"; }, "the bytes behind the message");
}

BOOST_AUTO_TEST_SUITE_END()
