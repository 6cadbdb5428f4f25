// penstock doctor: what the kernel offers, which backend that makes, and what to do about it.
#include <penstock/runtime/backends.h>
#include <penstock/tools/command.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace penstock::tools {
namespace {

constexpr int kNoBackend = 1;

struct Limit {
  rlim_t soft;
  rlim_t hard;
};

struct Findings {
  std::string kernel;
  std::string machine;
  std::optional<int> uringDisabled;  // kernel.io_uring_disabled; none: the kernel has no such.
  Limit lockedMemory;
  Limit descriptors;
  std::optional<Backend> backend;  // None: the one asked for cannot work.
  std::string why;
  std::vector<Capability> capabilities;
};

std::optional<int> readUringDisabled() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  int value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

Limit limitOf(decltype(RLIMIT_MEMLOCK) resource) {
  rlimit limit{};
  getrlimit(resource, &limit);
  return {limit.rlim_cur, limit.rlim_max};
}

void findBackend(Findings& findings) {
  try {
    const BackendChoice choice = chooseBackend();
    findings.backend = choice.backend;
    findings.why = choice.why;
  } catch (const std::system_error& refusal) {
    findings.why = refusal.what();
  }
}

Findings examine() {
  Findings findings{};
  utsname system{};
  uname(&system);
  findings.kernel = system.release;
  findings.machine = system.machine;
  findings.uringDisabled = readUringDisabled();
  findings.lockedMemory = limitOf(RLIMIT_MEMLOCK);
  findings.descriptors = limitOf(RLIMIT_NOFILE);
  findBackend(findings);
  findings.capabilities = capabilities();
  return findings;
}

nlohmann::json jsonOf(const Limit& limit) {
  const auto value = [](rlim_t bytes) {
    return bytes == RLIM_INFINITY ? nlohmann::json() : nlohmann::json(bytes);
  };
  return {{"soft", value(limit.soft)}, {"hard", value(limit.hard)}};  // null: no limit.
}

nlohmann::json jsonOf(const Capability& capability) {
  nlohmann::json json = {
      {"name", capability.name}, {"works", capability.works}, {"use", capability.use}};
  if (!capability.works) json["remedy"] = capability.remedy;
  return json;
}

nlohmann::json jsonOf(const Findings& findings) {
  nlohmann::json json;
  json["penstock"] = PENSTOCK_VERSION;
  json["kernel"] = {{"release", findings.kernel}, {"machine", findings.machine}};
  json["sysctl"]["kernel.io_uring_disabled"] =
      findings.uringDisabled ? nlohmann::json(*findings.uringDisabled) : nlohmann::json();
  json["limits"] = {{"memlock", jsonOf(findings.lockedMemory)},
                    {"nofile", jsonOf(findings.descriptors)}};
  json["backend"] = {{"why", findings.why}};
  json["backend"]["chosen"] =
      findings.backend ? nlohmann::json(nameOf(*findings.backend)) : nlohmann::json();
  json["capabilities"] = nlohmann::json::array();
  for (const Capability& capability : findings.capabilities) {
    json["capabilities"].push_back(jsonOf(capability));
  }
  return json;
}

std::string textOf(rlim_t value) {
  return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

void printFact(const char* name, const std::string& value) {
  std::printf("%-26s %s\n", name, value.c_str());
}

void printMachine(const Findings& findings) {
  printFact("penstock", PENSTOCK_VERSION);
  printFact("kernel", findings.kernel + " " + findings.machine);
  const std::string none = "not there (kernels before 6.6)";
  printFact("kernel.io_uring_disabled",
            findings.uringDisabled ? std::to_string(*findings.uringDisabled) : none);
  printFact("locked memory limit", textOf(findings.lockedMemory.soft) + " bytes, at most " +
                                       textOf(findings.lockedMemory.hard));
  printFact("descriptor limit",
            textOf(findings.descriptors.soft) + ", at most " + textOf(findings.descriptors.hard));
}

void printCapabilities(const Findings& findings) {
  std::printf("\nTried on this kernel:\n");
  for (const Capability& capability : findings.capabilities) {
    std::printf("  %-7s  %-26s %s\n", capability.works ? "works" : "missing",
                capability.name.c_str(), capability.use.c_str());
  }
}

void printRemedies(const Findings& findings) {
  std::printf("\nWhat to do:\n");
  bool any = false;
  for (const Capability& capability : findings.capabilities) {
    if (capability.works) continue;
    any = true;
    std::printf("  %s: %s\n", capability.name.c_str(), capability.remedy.c_str());
  }
  if (!any) std::printf("  nothing: all that the library uses works here\n");
}

void printText(const Findings& findings) {
  printMachine(findings);
  const std::string name(findings.backend ? nameOf(*findings.backend) : "none");
  printFact("backend", name + ": " + findings.why);
  printCapabilities(findings);
  printRemedies(findings);
}

void doctor(bool asJson) {
  const Findings findings = examine();
  if (asJson) {
    std::printf("%s\n", jsonOf(findings).dump(2).c_str());
  } else {
    printText(findings);
  }
  if (!findings.backend) throw CLI::RuntimeError(kNoBackend);
}

}  // namespace

void addDoctor(CLI::App& app) {
  auto asJson = std::make_shared<bool>(false);
  CLI::App& command =
      *app.add_subcommand("doctor", "What this kernel offers, and which backend that makes");
  command.add_flag("--json", *asJson, "For programs");
  command.callback([asJson] { doctor(*asJson); });
}

}  // namespace penstock::tools
