// SPDX-License-Identifier: Apache-2.0
// objectdino-server: loads a model, serves until SIGINT or SIGTERM, drains.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <grpc/support/log.h>
#include <memory>
#include <pthread.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "core/base/status_macros.h"
#include "core/image/decode.h"
#include "core/pipeline/torch_runtime.h"
#include "server/command_line.h"
#include "server/cores.h"
#include "server/engine.h"
#include "server/event_log.h"
#include "server/ground_request.h"
#include "server/port_file.h"
#include "server/server.h"
#include "server/version.h"
#include "server/warm_up.h"

namespace objectdino {
namespace {

constexpr int kDisarm = SIGUSR1;  // from this process to itself, see ForcedExit

// Blocked before the first thread starts, so that every thread inherits it and only sigwait sees
// them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigset_t blocked = signals;
  sigaddset(&blocked, kDisarm);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int WaitForSignal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

// gRPC's own lines are prose on stderr; what matters of them reaches us as a status.
void SilenceGrpc() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

void LogStart(const CommandLine& command, const Cores& cores, EventLog& log) {
  log.Info("server.config", command.effective);
  nlohmann::ordered_json line = {{"version", kVersion},
                                 {"cores", cores.available},
                                 {"cores_pinned", cores.pinned},
                                 {"cores_quota", nullptr},
                                 {"lanes", command.config->lanes},
                                 {"threads", command.config->threads},
                                 {"decode_threads", command.config->decode_threads},
                                 {"post_threads", command.config->post_threads}};
  if (cores.quota.has_value()) line["cores_quota"] = *cores.quota;
  log.Info("server.starting", std::move(line));
  if (geteuid() == 0) {
    log.Warning("server.running_as_root", {{"message", "give the server a user of its own"}});
  }
}

double MillisecondsSince(absl::Time start) {
  return absl::ToDoubleMilliseconds(absl::Now() - start);
}

absl::StatusOr<std::unique_ptr<GroundingEngine>> LoadWarmEngine(const ServerConfig& config,
                                                                EventLog& log) {
  absl::Time start = absl::Now();
  OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<GroundingEngine> engine,
                              LoadEngine({.model_dir = config.model, .device = config.device}));
  log.Info("server.loaded",
           {{"weights_sha256", engine->facts().weights_sha256}, {"ms", MillisecondsSince(start)}});
  if (!config.warm_up) return engine;
  start = absl::Now();
  const GroundOptions options = DefaultOptions(engine->facts().config, config.limits);
  OBJECTDINO_RETURN_IF_ERROR(WarmUp(*engine, options, config.lanes));
  log.Info("server.warm", {{"lanes", config.lanes}, {"ms", MillisecondsSince(start)}});
  return engine;
}

// While this lives, a signal ends the process.
class ForcedExit {
 public:
  ForcedExit(sigset_t signals, EventLog& log) {
    sigaddset(&signals, kDisarm);
    thread_ = std::thread([signals, &log] {
      const int signal = WaitForSignal(signals);
      if (signal == kDisarm) return;
      log.Warning("server.forced", {{"signal", signal}});
      _exit(kExitForced);
    });
  }
  ~ForcedExit() {
    pthread_kill(thread_.native_handle(), kDisarm);
    thread_.join();
  }
  ForcedExit(const ForcedExit&) = delete;
  ForcedExit& operator=(const ForcedExit&) = delete;

 private:
  std::thread thread_;
};

// Serves until a signal. The status says why the server could not start.
absl::Status Serve(const ServerConfig& config, const sigset_t& signals, EventLog& log) {
  SetTorchThreads(config.threads);
  SetImageThreads(1);
  KeepFreedMemory();
  if (const absl::Status blas = CheckTorchBlas(); !blas.ok()) {
    log.Warning("server.slow_blas", {{"message", std::string(blas.message())}});
  }
  const absl::Time start = absl::Now();
  OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<GroundingEngine> engine, LoadWarmEngine(config, log));
  OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<Server> server,
                              Server::Start(config, std::move(engine), log));
  if (!config.port_file.empty()) {
    OBJECTDINO_RETURN_IF_ERROR(
        WritePortFile(config.port_file, server->grpc_address(), server->metrics_address()));
  }
  log.Info("server.ready", {{"grpc", server->grpc_address()},
                            {"metrics", server->metrics_address()},
                            {"ms", MillisecondsSince(start)}});

  const int signal = WaitForSignal(signals);
  server->AnnounceStop();
  log.Info("server.draining", {{"signal", signal}});
  const ForcedExit forced(signals, log);
  absl::SleepFor(absl::Seconds(config.drain_delay_seconds));
  const bool finished = server->Drain(absl::Seconds(config.grace_seconds));
  server.reset();
  log.Info("server.stopped", {{"all_finished", finished}});
  return absl::OkStatus();
}

int Main(const std::vector<std::string>& arguments) {
  const sigset_t signals = BlockStopSignals();
  const Cores cores = AvailableCores();
  const CommandLine command = ParseCommandLine(
      arguments, [](const char* name) { return std::getenv(name); },
      absl::StrCat("objectdino-server ", kVersion, " (LibTorch ", TorchVersion(), ")"),
      cores.available);
  if (!command.config.has_value()) {
    std::fputs(command.text.c_str(), command.exit_code == kExitOk ? stdout : stderr);
    return command.exit_code;
  }
  SilenceGrpc();
  const std::unique_ptr<EventLog> log = EventLog::ToStderr(command.config->log_level);
  LogStart(command, cores, *log);
  const absl::Status status = Serve(*command.config, signals, *log);
  if (status.ok()) return kExitOk;
  std::fprintf(stderr, "objectdino-server: %s\n", std::string(status.message()).c_str());
  return kExitStartFailed;
}

}  // namespace
}  // namespace objectdino

int main(int argc, char** argv) {
  return objectdino::Main(std::vector<std::string>(argv + 1, argv + argc));
}
