// SPDX-License-Identifier: Apache-2.0
#include "server/command_line.h"

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include <CLI/CLI.hpp>

#include "server/config_file.h"
#include "server/flag_table.h"
#include "server/worker_pool.h"

namespace objectdino {
namespace {

constexpr int kMiB = 1 << 20;
constexpr int kMaxMessageMb = 2047;  // protobuf's own limit is 2 GiB - 1
constexpr int kMaxMemoryMb = 1 << 20;
constexpr int kMaxThreads = 1024;
constexpr int kMaxQueue = WorkerPool::kMaxQueued;
constexpr int kMaxRegions = 4096;
constexpr int kHour = 3600;
constexpr int kWeek = 7 * 24 * kHour;
constexpr char kFooter[] =
    R"(Every flag is also an environment variable (OBJECTDINO_MAX_QUEUE for --max-queue) and a key of the
--config file (max-queue = 64), where a table is a prefix ([tls] cert = "a.pem" for --tls-cert).
A flag wins over the environment, the environment over the file.

Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong usage,
            3 stopped by a second signal before the requests in flight had finished)";

// The flags, as CLI11 fills them.
struct Flags {
  ServerConfig config;
  int max_message_mb = static_cast<int>(Limits().max_request_bytes / kMiB);
  int max_response_mb = static_cast<int>(Limits().max_response_bytes / kMiB);
  int max_inflight_mb = static_cast<int>(Limits().max_inflight_bytes / kMiB);
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

void AddModelFlags(ServerConfig& config, FlagTable& flags) {
  flags.Group("Model");
  flags
      .Add("--model", config.model,
           "Folder or file of the model; objectdino inspect says what it is")
      ->required()
      ->type_name("PATH");
  flags.Add("--device", config.device, "cpu, cuda or cuda:N")
      ->type_name("NAME")
      ->check(CLI::Validator(CheckDevice, ""));
  flags.AddSwitch("--warm-up,!--no-warm-up", config.warm_up,
                  "Send one image through every lane before serving");
}

void AddNetworkFlags(ServerConfig& config, FlagTable& flags) {
  ConnectionLimits& connections = config.connections;
  flags.Group("Network");
  flags.Add("--listen", config.listen, "gRPC address; port 0 = any free port")
      ->type_name("HOST:PORT");
  flags
      .Add("--metrics-listen", config.metrics_listen,
           "Address of /metrics, always plain text; port 0 = any free port, none = no endpoint")
      ->type_name("HOST:PORT");
  flags.AddSwitch("--allow-non-loopback", config.allow_non_loopback,
                  "Allow addresses that other machines reach in plain text: of /metrics, and of "
                  "gRPC without --tls-cert");
  flags
      .Add("--port-file", config.port_file,
           "Written once serving: lines grpc=HOST:PORT and metrics=HOST:PORT")
      ->type_name("FILE");
  flags.Add("--max-concurrent-streams", connections.max_concurrent_streams, 1, 1 << 20,
            "RPCs at once on one connection; its client holds back more");
  flags.Add("--max-connections-memory-mb", connections.memory_mb, 1, kMaxMemoryMb,
            "Buffers of all connections, MiB; near it, gRPC reads more slowly");
  flags.Add("--max-connection-age-seconds", connections.max_age_seconds, 0, kWeek,
            "Age at which a client is asked to connect anew, spread by 10 %; 0 = none");
  flags.Add("--max-connection-age-grace-seconds", connections.max_age_grace_seconds, 0, kWeek,
            "What RPCs on a connection past its age have left");
  flags.Add("--max-connection-idle-seconds", connections.max_idle_seconds, 0, kWeek,
            "Time without an RPC after which a connection is closed; 0 = none");
  flags.Add("--keepalive-seconds", connections.keepalive_seconds, 1, kWeek,
            "Silence on a connection after which its client must show that it is there");
  flags.Add("--send-timeout-seconds", config.send_timeout_seconds, 1, kHour,
            "What a caller has to read its answer; then it is cut off");
}

void AddSecurityFlags(ServerConfig& config, FlagTable& flags) {
  flags.Group("Security");
  flags
      .Add("--tls-cert", config.tls.certificate,
           "The server's certificate and its chain, PEM; turns TLS on, and is read anew when it "
           "changes, as are the next two")
      ->type_name("FILE");
  flags.Add("--tls-key", config.tls.key, "The certificate's private key, PEM, without a password")
      ->type_name("FILE");
  flags
      .Add("--tls-client-ca", config.tls.client_ca,
           "Roots, PEM: clients must show a certificate that one of them has signed")
      ->type_name("FILE");
  flags
      .Add("--token-file", config.token_file,
           "Callers need one of its tokens as 'authorization: Bearer TOKEN'; one a line, 16 "
           "characters or more, # begins a comment; read anew when it changes")
      ->type_name("FILE");
}

void AddAdmissionFlags(Flags& all, FlagTable& flags) {
  Limits& limits = all.config.limits;
  flags.Group("Admission");
  flags.Add("--max-queue", limits.max_queue, 1, kMaxQueue,
            "Requests admitted and not yet computed; above it, RESOURCE_EXHAUSTED");
  flags.Add("--max-inflight-mb", all.max_inflight_mb, 1, kMaxMemoryMb,
            "Requests, pixels and answers of all requests in the house, MiB");
  flags.Add("--max-message-mb", all.max_message_mb, 1, kMaxMessageMb, "Size of a request, MiB");
  flags.Add("--max-response-mb", all.max_response_mb, 1, kMaxMessageMb, "Size of a response, MiB");
  flags.Add("--max-pixels", limits.max_pixels, int64_t{1}, int64_t{1} << 30,
            "Height times width of an image");
  flags.Add("--max-dimension", limits.max_dimension, 1, 1 << 20, "Height or width of an image");
  flags.Add("--max-input-size", limits.max_input_size, 1, GroundOptions::kMaxInputSize,
            "Largest input_size of a request, pixels of the network's input");
  flags.Add("--max-regions", limits.max_regions, 1, kMaxRegions,
            "Regions of a VerifyRegions request");
  flags.Add("--default-deadline-ms", all.config.default_deadline_ms, 0, kHour * 1000,
            "Deadline of a request that has none; 0 = none");
}

void AddBatchingFlags(ServerConfig& config, FlagTable& flags) {
  flags.Group("Batching");
  flags.Add(
      "--lanes", config.lanes, 0, kMaxThreads,
      "Batches computed at once; 0 = cores / --threads, within a container's quota, on a GPU at "
      "most 4");
  flags.Add("--threads", config.threads, 1, kMaxThreads, "Threads of one computation");
  flags.Add("--decode-threads", config.decode_threads, 0, kMaxThreads,
            "Images decoded at once; 0 = --lanes");
  flags.Add("--post-threads", config.post_threads, 0, kMaxThreads,
            "Answers made at once; 0 = --lanes");
  flags.Add("--max-batch", config.batch.max_images, 0, 1024,
            "Images of a batch; 0 = 1 on a CPU, 8 on a GPU");
  flags.Add("--max-batch-tokens", config.batch.max_tokens, 1, 1 << 24,
            "Patches of all images of a batch; an image with more is computed alone");
  flags.Add("--batch-delay-ms", config.batch.delay_ms, 0, 10'000,
            "What a lane without work waits for a batch to fill");
}

void AddLifeCycleFlags(ServerConfig& config, FlagTable& flags) {
  flags.Group("Life cycle");
  flags.Add("--drain-delay-seconds", config.drain_delay_seconds, 0, kHour,
            "How long a stop still takes requests after health has said NOT_SERVING");
  flags.Add("--grace-seconds", config.grace_seconds, 0, kHour,
            "How long a stop then waits for the requests in flight");
}

// The last of the groups. The result is the switch of reflection, whose default depends on others.
CLI::Option* AddObservabilityFlags(ServerConfig& config, FlagTable& flags) {
  flags.Group("Observability");
  flags.Add("--log-level", config.log_level, "debug, info, warning or error")
      ->type_name("NAME")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  return flags.AddSwitch("--reflection,!--no-reflection", config.reflection,
                         "Describe the service to who asks; off with --token-file unless given");
}

// The file of --config, in the terms of CLI11.
class TomlConfig final : public CLI::ConfigBase {
 public:
  explicit TomlConfig(const CLI::App& app) : app_(app) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& file) const override {
    const auto entries = ReadConfigFile(file);
    if (!entries.ok()) {
      throw CLI::ConfigError(absl::StrCat("--config: ", std::string(entries.status().message())));
    }
    std::vector<CLI::ConfigItem> found;
    for (const FileEntry& entry : *entries) {
      const CLI::Option* option = app_.get_option_no_throw(absl::StrCat("--", entry.key));
      if (option == nullptr || option->get_envname().empty() || !option->get_configurable()) {
        throw CLI::ConfigError(
            absl::StrCat("--config: line ", entry.line, ": unknown key '", entry.key, "'"));
      }
      found.emplace_back();
      found.back().name = entry.key;
      found.back().inputs = {entry.value};
    }
    return found;
  }

 private:
  const CLI::App& app_;
};

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

CommandLine Leave(int exit_code, std::string text) {
  return {.config = std::nullopt, .exit_code = exit_code, .text = std::move(text), .effective = {}};
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                             const Environment& environment, const std::string& version,
                             int cores) {
  Flags all;
  ServerConfig& config = all.config;
  CLI::App app("Object-DINO grounding service: one image in, its objects out, over gRPC.",
               "objectdino-server");
  app.footer(kFooter);
  app.set_version_flag("--version", version, "Print the version and exit");
  const CLI::Option* file =
      app.set_config("--config", "", "TOML file of flags")->envname("OBJECTDINO_CONFIG");
  app.config_formatter(std::make_shared<TomlConfig>(app));
  app.option_defaults()->always_capture_default()->multi_option_policy(
      CLI::MultiOptionPolicy::TakeLast);
  FlagTable flags(app);
  AddModelFlags(config, flags);
  AddNetworkFlags(config, flags);
  AddSecurityFlags(config, flags);
  AddAdmissionFlags(all, flags);
  AddBatchingFlags(config, flags);
  AddLifeCycleFlags(config, flags);
  const CLI::Option* reflection = AddObservabilityFlags(config, flags);
  for (CLI::Option* option : app.get_options(
           [](const CLI::Option* candidate) { return candidate->get_configurable(); })) {
    option->envname(EnvironmentName(*option));
  }
  try {
    std::vector<std::string> in_order = WithEnvironment(app, arguments, environment);
    std::reverse(in_order.begin(), in_order.end());  // the order that this overload of parse takes
    app.parse(in_order);
  } catch (const CLI::CallForHelp&) {
    return Leave(kExitOk, app.help());
  } catch (const CLI::CallForVersion&) {
    return Leave(kExitOk, absl::StrCat(version, "\n"));
  } catch (const CLI::ParseError& error) {
    return Leave(kExitUsage, absl::StrCat("objectdino-server: ", error.what(), " (see --help)\n"));
  }
  if (reflection->count() == 0) config.reflection = config.token_file.empty();
  config.limits.max_request_bytes = int64_t{all.max_message_mb} * kMiB;
  config.limits.max_response_bytes = int64_t{all.max_response_mb} * kMiB;
  config.limits.max_inflight_bytes = int64_t{all.max_inflight_mb} * kMiB;
  config.Resolve(cores);
  if (const absl::Status status = config.Validate(); !status.ok()) {
    return Leave(kExitUsage,
                 absl::StrCat("objectdino-server: ", std::string(status.message()), "\n"));
  }
  nlohmann::ordered_json effective = {{"config", file->count() > 0 ? file->as<std::string>() : ""}};
  effective.update(flags.Values());
  return {.config = std::move(config),
          .exit_code = kExitOk,
          .text = "",
          .effective = std::move(effective)};
}

}  // namespace objectdino
