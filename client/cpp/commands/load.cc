// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <grpcpp/grpcpp.h>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/cpp/commands/commands.h"
#include "client/cpp/commands/method_flags.h"
#include "client/cpp/image_files.h"
#include "client/cpp/load/load_report_text.h"
#include "client/cpp/load/load_run.h"
#include "client/cpp/load/outcomes_csv.h"
#include "client/cpp/load/stream_transport.h"
#include "client/cpp/load/unary_transport.h"
#include "client/cpp/response_json.h"
#include "client/cpp/security.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(10);
constexpr int kReconnectMs = 100;  // gRPC takes no less
constexpr int kMaxReconnectMs = 200;
constexpr int kMaxResponseBytes = 64 * 1024 * 1024;
constexpr size_t kMaxImageBytes = size_t{4} << 30;  // of all files, which are kept in memory

struct LoadFlags {
  ServerFlags server;
  MethodFlags method;
  LoadOptions load;
  std::string deadline_range;
  std::string cancel_after;
  std::vector<std::string> paths;
  bool json = false;
  std::string csv;

  absl::StatusOr<LoadOptions> Options() const {
    LoadOptions options = load;
    if (deadline_range.empty()) {
      options.deadline_ms.high = options.deadline_ms.low;
    } else {
      OBJECTDINO_ASSIGN_OR_RETURN(options.deadline_ms, ParseRange(deadline_range));
    }
    if (!cancel_after.empty()) {
      OBJECTDINO_ASSIGN_OR_RETURN(options.cancel_after_ms, ParseRange(cancel_after));
    }
    options.ground = method.Options();
    OBJECTDINO_RETURN_IF_ERROR(options.Validate());
    return options;
  }
};

absl::StatusOr<std::vector<std::string>> ReadImages(const std::vector<std::string>& paths) {
  std::vector<std::string> images;
  size_t bytes = 0;
  for (const std::string& path : ListImages(paths)) {
    auto image = ReadImageFile(path);
    if (!image.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", image.status().message()));
    }
    bytes += image->size();
    if (bytes > kMaxImageBytes) return absl::InvalidArgumentError("the images are above 4 GiB");
    images.push_back(*std::move(image));
  }
  return images;
}

// One connection each, which the library would otherwise share. A refused or lost request is the
// load's to count, so nothing is tried again behind its back.
std::vector<std::shared_ptr<grpc::Channel>> MakeChannels(const std::string& address,
                                                         const Security& security, size_t count) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  if (IsLoopback(address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < count; ++i) {
    channels.push_back(grpc::CreateCustomChannel(address, security.credentials, arguments));
  }
  return channels;
}

// UNAVAILABLE: there is no server, with the reason.
absl::Status ConnectAll(const LoadFlags& flags,
                        const std::vector<std::shared_ptr<grpc::Channel>>& channels) {
  ServerFlags probe = flags.server;
  probe.timeout_s = absl::ToDoubleSeconds(kConnectTimeout);
  OBJECTDINO_ASSIGN_OR_RETURN(const auto client, Connect(probe));
  const auto health = client->Health();
  if (absl::IsUnavailable(health.status()) || absl::IsDeadlineExceeded(health.status())) {
    return absl::UnavailableError(health.status().message());
  }
  const auto deadline = absl::ToChronoTime(absl::Now() + kConnectTimeout);
  for (const auto& channel : channels) {
    if (!channel->WaitForConnected(deadline)) {
      return absl::UnavailableError("no connection in time");
    }
  }
  return absl::OkStatus();
}

// Whether the run was one; says why not.
bool IsValid(const LoadFlags& flags, const LoadReport& report, const Console& console) {
  for (const std::string& warning : LoadWarnings(report)) {
    console.err << "objectdino: warning: " << warning << "\n";
  }
  if (!report.answered() && !report.interrupted) {
    std::string reason = "nothing was sent";
    const auto most =
        std::max_element(report.codes.begin(), report.codes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != report.codes.end()) {
      reason =
          ErrorText({static_cast<absl::StatusCode>(most->first),
                     report.errors.contains(most->first) ? report.errors.at(most->first) : ""});
    }
    console.err << absl::StrCat("objectdino: ", flags.server.address,
                                ": no request was answered: ", reason, "\n");
    return false;
  }
  return report.dropped == 0 && report.bad_input.unexpected == 0;
}

int RunLoad(const LoadFlags& flags, const Console& console) {
  const auto refuse = [&](const absl::Status& status) {
    console.err << absl::StrCat("objectdino: ", status.message(), "\n");
    return kExitUsage;
  };
  const auto options = flags.Options();
  if (!options.ok()) return refuse(options.status());
  if (flags.server.address.empty())
    return refuse(absl::InvalidArgumentError("the server's address is empty"));
  const auto security = MakeSecurity(flags.server.address, flags.server.security);
  if (!security.ok()) return refuse(security.status());
  auto images = ReadImages(flags.paths);
  if (!images.ok()) return refuse(images.status());

  Workload workload(*std::move(images), *options);
  const auto channels = MakeChannels(flags.server.address, *security, options->channels);
  if (const absl::Status status = ConnectAll(flags, channels); !status.ok()) {
    return ReportServerError(flags.server, status, console);
  }
  LoadRun run(*options, workload, [&](Transport::Done done) -> std::unique_ptr<Transport> {
    if (!options->stream)
      return std::make_unique<UnaryTransport>(channels, *security, std::move(done));
    const size_t streams = options->rate ? options->channels : options->concurrency;
    return std::make_unique<StreamTransport>(channels, streams, *security, std::move(done));
  });
  const LoadRecord record = run.Run(console.interrupted);
  const LoadReport report = MakeLoadReport(record);
  const LoadSetup setup = {flags.server.address, *options, workload.images(),
                           workload.image_bytes()};
  if (flags.json) {
    console.out << JsonText(LoadReportJson(setup, report));
  } else {
    console.out << LoadReportText(setup, report);
  }
  bool is_valid = IsValid(flags, report, console);
  if (!flags.csv.empty()) {
    const absl::Status written = WriteFile(flags.csv, OutcomesCsv(record.outcomes));
    if (!written.ok()) console.err << absl::StrCat("objectdino: ", written.message(), "\n");
    is_valid = is_valid && written.ok();
  }
  if (report.interrupted) return kExitInterrupted;
  return is_valid ? kExitOk : kExitFailed;
}

void AddLoopFlags(CLI::App& parser, LoadOptions& load) {
  CLI::Option* concurrency =
      parser
          .add_option("--concurrency", load.concurrency,
                      "Closed loop: that many callers, each sends when it has its answer")
          ->capture_default_str()
          ->type_name("N");
  parser
      .add_option("--rate", load.rate,
                  "Open loop: Poisson arrivals, that many a second, whatever the answers do; "
                  "latency is from when a request was due")
      ->excludes(concurrency)
      ->type_name("R");
  CLI::Option* duration = parser.add_option("--duration", load.duration_s, "Seconds of sending")
                              ->capture_default_str()
                              ->type_name("S");
  parser.add_option("--requests", load.requests, "Ends after that many requests instead")
      ->excludes(duration)
      ->type_name("N");
  parser
      .add_option("--warmup", load.warmup_s,
                  "Seconds of the same load before that, which do not count")
      ->capture_default_str()
      ->type_name("S");
  parser.add_option("--channels", load.channels, "Connections, used in turns")
      ->capture_default_str()
      ->type_name("N");
  parser
      .add_option("--max-outstanding", load.max_outstanding,
                  "Requests of an open loop that may be out at once; more are dropped and counted")
      ->capture_default_str()
      ->type_name("N");
}

void AddRequestFlags(CLI::App& parser, LoadFlags& flags) {
  LoadOptions& load = flags.load;
  CLI::Option* deadline =
      parser
          .add_option("--deadline", load.deadline_ms.low,
                      "Deadline of a request in milliseconds, from when it was due")
          ->capture_default_str()
          ->type_name("MS");
  parser
      .add_option("--deadline-range", flags.deadline_range,
                  "The same, drawn for each request from a range")
      ->excludes(deadline)
      ->type_name("MIN:MAX");
  parser
      .add_option("--cancel-share", load.cancel_share,
                  "Share of the requests that the client cancels, 0 .. 1")
      ->type_name("P");
  parser
      .add_option("--cancel-after", flags.cancel_after,
                  "When it does, in milliseconds after sending (default 0:50)")
      ->type_name("MIN:MAX");
  parser
      .add_option("--bad-share", load.bad_share,
                  "Share of requests with bad input, which the server must refuse, 0 .. 1: "
                  "truncated image, no image, option out of range")
      ->type_name("P");
  parser.add_option("--seed", load.seed, "Of everything that is drawn")
      ->capture_default_str()
      ->type_name("N");
  parser.add_flag("--retry", load.retry,
                  "Tries again inside the deadline: when the server is unavailable, and when it "
                  "says when to come back");
  parser.add_flag("--stream", load.stream,
                  "Sends through streams, one a caller or (--rate) a channel, not in single calls");
}

}  // namespace

Command AddLoadCommand(CLI::App& program) {
  auto flags = std::make_shared<LoadFlags>();
  CLI::App* parser = program.add_subcommand("load", "Puts a server under load and measures it");
  parser->add_option("IMAGE", flags->paths, "JPEG, PNG or WebP files, or folders of them")
      ->required()
      ->option_text("...");
  AddAddressFlags(*parser, flags->server);
  AddLoopFlags(*parser, flags->load);
  AddRequestFlags(*parser, *flags);
  AddMethodFlags(*parser, flags->method);
  parser
      ->add_option("--sizes", flags->load.sizes,
                   "Sides of the network's input, as in 224,448: each request gets one of them")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->excludes("--input-size")
      ->type_name("N,...");
  parser->add_flag("--json", flags->json,
                   "One JSON object instead of a table, with counts for every second");
  parser->add_option("--csv", flags->csv, "Writes a line for every request, warm-up included")
      ->type_name("FILE");
  return {parser, [flags](const Console& console) { return RunLoad(*flags, console); }};
}

}  // namespace objectdino
