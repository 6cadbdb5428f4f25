#include <penstock/bench/compare/run/server.h>

#include <chrono>
#include <csignal>
#include <map>
#include <sstream>

namespace penstock::compare {
namespace {

using std::chrono_literals::operator""ms;

constexpr auto kStartLimit = 5000ms;
constexpr auto kStopLimit = 3000ms;
constexpr const char* kBadInput = "exit status 2";

std::vector<std::string> commandOf(const Engine& engine, const Service& service, const Cell& cell,
                                   std::uint16_t callBackPort, std::vector<std::string> command,
                                   bool counts) {
  command.push_back(locateProgram(engine.program));
  command.insert(command.end(), engine.arguments.begin(), engine.arguments.end());
  const bool own = engine.isPenstock() || service.peersName.empty();
  const std::vector<std::string> words{"--workload", own ? service.name : service.peersName,
                                       "--port",     "0",
                                       "--size",     std::to_string(cell.size)};
  command.insert(command.end(), words.begin(), words.end());
  if (service.callsBack) {
    command.push_back("--to");
    command.push_back("127.0.0.1:" + std::to_string(callBackPort));
  }
  command.insert(command.end(), service.arguments.begin(), service.arguments.end());
  if (engine.isPenstock() && counts) command.push_back("--count");
  return command;
}

// "ready port=1 engine=x …" as a map; empty if it is no such line.
std::map<std::string, std::string> parseReady(const std::string& line) {
  std::map<std::string, std::string> values;
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word != "ready") return values;
  while (words >> word) {
    const auto equals = word.find('=');
    if (equals != word.npos) values[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return values;
}

[[noreturn]] void refuseStart(Process& process) {
  process.signal(SIGTERM);
  const std::string ending = process.wait(kStopLimit);
  const std::string said = process.errorLine();
  const std::string why = said.empty() ? (ending.empty() ? "no ready line" : ending) : said;
  if (ending == kBadInput && why.find("workload") != why.npos) throw NotServed(why);
  throw std::runtime_error("the server did not start: " + why);
}

}  // namespace

Server::Server(const Engine& engine, const Workload& workload, const Cell& cell, int core,
               std::uint16_t callBackPort, const std::vector<std::string>& prefix, bool counts)
    : process_(commandOf(engine, workload.service(cell), cell, callBackPort, prefix, counts),
               {.core = core}) {
  const auto line = process_.readLine(kStartLimit);
  const auto ready = parseReady(line.value_or(""));
  const auto port = ready.find("port");
  if (port == ready.end()) refuseStart(process_);
  port_ = static_cast<std::uint16_t>(std::stoul(port->second));
  if (ready.contains("version")) version_ = ready.at("version");
  if (ready.contains("backend")) printedBackend_ = ready.at("backend");
}

std::string Server::stop() {
  if (process_.ended()) return "the server died: " + process_.wait(0ms);
  process_.signal(SIGTERM);
  const std::string ending = process_.wait(kStopLimit);
  return ending.empty() ? ending : "the server did not end cleanly: " + ending;
}

std::string Server::lastLine() { return process_.readLine(0ms).value_or(""); }

}  // namespace penstock::compare
