// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <algorithm>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include <CLI/CLI.hpp>

#include "core/base/status_macros.h"
#include "server/address.h"
#include "server/in_flight.h"

namespace objectdino {
namespace {

constexpr int kMiB = 1 << 20;
constexpr int kMaxMessageMb = 2047;  // protobuf's own limit is 2 GiB - 1
constexpr int kMaxLanes = 1024;
constexpr char kFooter[] =
    R"(Every flag is also an environment variable (OBJECTDINO_MAX_INFLIGHT for --max-inflight) and a key of
the --config file. A flag wins over the environment, the environment over the file.

Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong usage,
            3 stopped by a second signal before the requests in flight had finished)";

// The flags, as CLI11 fills them.
struct Flags {
  ServerConfig config;
  int max_message_mb = static_cast<int>(Limits().max_request_bytes / kMiB);
  int max_response_mb = static_cast<int>(Limits().max_response_bytes / kMiB);
  std::string config_file;
};

std::string EnvironmentName(const CLI::Option& option) {
  return absl::StrCat("OBJECTDINO_", absl::AsciiStrToUpper(absl::StrReplaceAll(
                                         option.get_single_name(), {{"-", "_"}})));
}

std::string CheckDevice(const std::string& device) {
  int index = 0;
  if (device == "cpu" || device == "cuda") return "";
  if (absl::StartsWith(device, "cuda:") && CLI::detail::lexical_cast(device.substr(5), index) &&
      index >= 0) {
    return "";
  }
  return absl::StrCat("must be cpu, cuda or cuda:N, got ", device);
}

void AddFlags(CLI::App& app, Flags& flags) {
  ServerConfig& config = flags.config;
  Limits& limits = config.limits;
  app.option_defaults()->always_capture_default()->multi_option_policy(
      CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--model", config.model, "Folder of the model, in Hugging Face layout")
      ->required()
      ->type_name("DIR");
  app.add_option("--listen", config.listen, "gRPC address; port 0 = any free port")
      ->type_name("HOST:PORT");
  app.add_option("--metrics-listen", config.metrics_listen,
                 "Address of /metrics; port 0 = any free port, none = no endpoint")
      ->type_name("HOST:PORT");
  app.add_flag("--allow-non-loopback", config.allow_non_loopback,
               "Allow addresses that other machines reach, in plain text");
  app.add_option("--port-file", config.port_file,
                 "Written once serving: lines grpc=HOST:PORT and metrics=HOST:PORT")
      ->type_name("FILE");
  app.add_option("--device", config.device, "cpu, cuda or cuda:N")
      ->type_name("NAME")
      ->check(CLI::Validator(CheckDevice, ""));
  app.add_option("--lanes", config.lanes, "Images computed at once; 0 = number of cores")
      ->check(CLI::Range(0, kMaxLanes));
  app.add_option("--threads", config.threads, "Threads of one computation")
      ->check(CLI::Range(1, kMaxLanes));
  app.add_option("--max-inflight", limits.max_inflight,
                 "Requests waiting or computed; above it, RESOURCE_EXHAUSTED")
      ->check(CLI::Range(1, InFlight::kMaxLimit));
  app.add_option("--max-pixels", limits.max_pixels, "Height times width of an image")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
  app.add_option("--max-dimension", limits.max_dimension, "Height or width of an image")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--max-message-mb", flags.max_message_mb, "Size of a request, MiB")
      ->check(CLI::Range(1, kMaxMessageMb));
  app.add_option("--max-response-mb", flags.max_response_mb, "Size of a response, MiB")
      ->check(CLI::Range(1, kMaxMessageMb));
  app.add_option("--max-input-size", limits.max_input_size,
                 "Largest input_size of a request, pixels of the network's input")
      ->check(CLI::Range(1, GroundOptions::kMaxInputSize));
  app.add_option("--grace-seconds", config.grace_seconds,
                 "How long a stop waits for the requests in flight")
      ->check(CLI::Range(0, 3600));
  app.add_option("--log-level", config.log_level, "debug, info, warning or error")
      ->type_name("NAME")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  for (CLI::Option* option : app.get_options(
           [](const CLI::Option* candidate) { return candidate->get_configurable(); })) {
    option->envname(EnvironmentName(*option));
  }
}

// CLI11 lets the file win over the environment. Placed in front of the arguments, where the last
// one counts, variables lose to flags and win over the file.
std::vector<std::string> WithEnvironment(const CLI::App& app,
                                         const std::vector<std::string>& arguments,
                                         const Environment& environment) {
  std::vector<std::string> all;
  for (const CLI::Option* option : app.get_options()) {
    const std::string& name = option->get_envname();
    const char* value = name.empty() ? nullptr : environment(name.c_str());
    if (value != nullptr && *value != '\0') {
      all.push_back(absl::StrCat("--", option->get_single_name(), "=", value));
    }
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

}  // namespace

absl::Status ServerConfig::Validate() const {
  for (const std::string* text : {&listen, &metrics_listen}) {
    if (text == &metrics_listen && *text == kNoMetrics) continue;
    OBJECTDINO_ASSIGN_OR_RETURN(const Address address, ParseAddress(*text));
    if (!address.loopback() && !allow_non_loopback) {
      return absl::InvalidArgumentError(
          absl::StrCat("address '", *text,
                       "' is not a loopback address and traffic is plain text: add "
                       "--allow-non-loopback if that is meant"));
    }
  }
  return absl::OkStatus();
}

CommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                             const Environment& environment, const std::string& version) {
  Flags flags;
  CLI::App app("Object-DINO grounding service: one image in, its objects out, over gRPC.",
               "objectdino-server");
  app.footer(kFooter);
  app.set_version_flag("--version", version, "Print the version and exit");
  app.set_config("--config", "", "File of key = value lines")->envname("OBJECTDINO_CONFIG");
  app.allow_config_extras(CLI::config_extras_mode::error);
  AddFlags(app, flags);
  try {
    std::vector<std::string> all = WithEnvironment(app, arguments, environment);
    std::reverse(all.begin(), all.end());  // the order that this overload of parse takes
    app.parse(all);
  } catch (const CLI::CallForHelp&) {
    return {.config = std::nullopt, .exit_code = kExitOk, .text = app.help()};
  } catch (const CLI::CallForVersion&) {
    return {.config = std::nullopt, .exit_code = kExitOk, .text = absl::StrCat(version, "\n")};
  } catch (const CLI::ParseError& error) {
    return {.config = std::nullopt,
            .exit_code = kExitUsage,
            .text = absl::StrCat("objectdino-server: ", error.what(), " (see --help)\n")};
  }
  flags.config.limits.max_request_bytes = int64_t{flags.max_message_mb} * kMiB;
  flags.config.limits.max_response_bytes = int64_t{flags.max_response_mb} * kMiB;
  if (flags.config.lanes == 0) {
    flags.config.lanes = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }
  if (const absl::Status status = flags.config.Validate(); !status.ok()) {
    return {.config = std::nullopt,
            .exit_code = kExitUsage,
            .text = absl::StrCat("objectdino-server: ", status.message(), "\n")};
  }
  return {.config = std::move(flags.config), .exit_code = kExitOk, .text = ""};
}

}  // namespace objectdino
