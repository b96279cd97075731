// SPDX-License-Identifier: Apache-2.0
// The whole server: builds and owns everything, in start order.
#ifndef OBJECTDINO_SERVER_SERVER_H_
#define OBJECTDINO_SERVER_SERVER_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "server/authenticator.h"
#include "server/config.h"
#include "server/engine.h"
#include "server/event_log.h"
#include "server/ground_pipeline.h"
#include "server/grounding_service.h"
#include "server/metrics.h"
#include "server/metrics_endpoint.h"
#include "server/process_metrics.h"
#include "server/slow_readers.h"

namespace objectdino {

class Server {
 public:
  // Serves when it returns. FAILED_PRECONDITION: an address cannot be taken, a certificate or token
  // file is no good, or a limit does not fit the model. REQUIRES: `config` is valid and resolved.
  // `log` outlives the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerConfig& config,
                                                       std::unique_ptr<GroundingEngine> engine,
                                                       EventLog& log);
  ~Server();  // drains without patience, unless Drain was called

  // Health says NOT_SERVING, to those who watch it at once, so that callers go elsewhere. Requests
  // are still taken.
  void AnnounceStop();

  // After AnnounceStop, which it calls if need be: new requests are UNAVAILABLE; requests in flight
  // have until `grace` to finish, then they are cancelled. True when all of them finished. Call
  // once.
  bool Drain(absl::Duration grace);

  // Images of one stream in the house: enough to keep every lane and the pools around it busy.
  static constexpr int StreamWindow(int lanes) { return 2 * lanes + 2; }

  Metrics::Load load() const { return pipeline_.load(); }

  // As bound: port 0 is replaced by the port.
  const std::string& grpc_address() const { return grpc_address_; }
  // Empty without an endpoint.
  const std::string& metrics_address() const { return metrics_address_; }

 private:
  Server(const ServerConfig& config, std::unique_ptr<GroundingEngine> engine,
         std::unique_ptr<Authenticator> authenticator, EventLog& log);
  absl::Status StartMetrics(const std::string& listen);
  absl::Status StartGrpc(const ServerConfig& config);

  const Limits limits_;
  EventLog& log_;
  std::unique_ptr<GroundingEngine> engine_;
  std::unique_ptr<Authenticator> authenticator_;
  Metrics metrics_;
  const std::shared_ptr<ProcessMetrics> process_metrics_ = std::make_shared<ProcessMetrics>();
  SlowReaders slow_readers_;
  GroundPipeline pipeline_;
  GroundingServiceImpl service_;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> grpc_;  // first to go: its calls use all of the above
  std::string metrics_address_;
  std::string grpc_address_;
  bool drained_ = false;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_SERVER_H_
