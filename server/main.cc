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
#include "server/config.h"
#include "server/engine.h"
#include "server/event_log.h"
#include "server/port_file.h"
#include "server/server.h"
#include "server/version.h"

namespace objectdino {
namespace {

// Blocked before the first thread starts, so that every thread inherits it and only sigwait sees
// them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
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

void LogConfig(const ServerConfig& config, EventLog& log) {
  log.Info("server.config", {{"version", kVersion},
                             {"model", config.model},
                             {"device", config.device},
                             {"lanes", config.lanes},
                             {"threads", config.threads},
                             {"max_inflight", config.limits.max_inflight},
                             {"max_pixels", config.limits.max_pixels},
                             {"max_dimension", config.limits.max_dimension},
                             {"max_request_bytes", config.limits.max_request_bytes},
                             {"max_response_bytes", config.limits.max_response_bytes},
                             {"max_input_size", config.limits.max_input_size},
                             {"grace_seconds", config.grace_seconds}});
}

// Serves until a signal. The status says why the server could not start.
absl::Status Serve(const ServerConfig& config, const sigset_t& signals, EventLog& log) {
  SetTorchThreads(config.threads);
  SetImageThreads(1);
  KeepFreedMemory();
  if (const absl::Status blas = CheckTorchBlas(); !blas.ok()) {
    log.Warning("server.slow_blas", {{"message", std::string(blas.message())}});
  }
  const absl::Time start = absl::Now();
  OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<GroundingEngine> engine,
                              LoadEngine({.model_dir = config.model, .device = config.device}));
  const std::string digest = engine->facts().weights_sha256;
  OBJECTDINO_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                              Server::Start(config, std::move(engine), log));
  if (!config.port_file.empty()) {
    OBJECTDINO_RETURN_IF_ERROR(
        WritePortFile(config.port_file, server->grpc_address(), server->metrics_address()));
  }
  LogConfig(config, log);
  log.Info("server.ready", {{"grpc", server->grpc_address()},
                            {"metrics", server->metrics_address()},
                            {"weights_sha256", digest},
                            {"load_ms", absl::ToDoubleMilliseconds(absl::Now() - start)}});

  const int signal = WaitForSignal(signals);
  log.Info("server.draining", {{"signal", signal}});
  std::thread([signals] {
    WaitForSignal(signals);
    _exit(kExitForced);
  }).detach();
  const bool finished = server->Drain(absl::Seconds(config.grace_seconds));
  log.Info("server.stopped", {{"all_finished", finished}});
  return absl::OkStatus();
}

int Main(const std::vector<std::string>& arguments) {
  const sigset_t signals = BlockStopSignals();
  const CommandLine command = ParseCommandLine(
      arguments, [](const char* name) { return std::getenv(name); },
      absl::StrCat("objectdino-server ", kVersion, " (LibTorch ", TorchVersion(), ")"));
  if (!command.config.has_value()) {
    std::fputs(command.text.c_str(), command.exit_code == kExitOk ? stdout : stderr);
    return command.exit_code;
  }
  SilenceGrpc();
  const std::unique_ptr<EventLog> log = EventLog::ToStderr(command.config->log_level);
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
