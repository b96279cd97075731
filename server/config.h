// SPDX-License-Identifier: Apache-2.0
// The server's settings: values, defaults, and the checks that no single value can pass alone.
// server/command_line reads them; its --help is the manual.
//
// Thread-safety: plain values.
#ifndef OBJECTDINO_SERVER_CONFIG_H_
#define OBJECTDINO_SERVER_CONFIG_H_

#include <string>

#include "absl/status/status.h"

#include "server/limits.h"
#include "server/tls_files.h"

namespace objectdino {

inline constexpr char kNoMetrics[] = "none";

// What connections may cost. Of gRPC's transport, not of a request.
struct ConnectionLimits {
  int max_concurrent_streams = 256;  // RPCs at once on one connection; more wait in the client
  int memory_mb = 512;               // buffers of all connections, MiB
  int max_age_seconds = 0;           // then the client is asked to connect anew; 0 = no limit
  int max_age_grace_seconds = 60;    // what an RPC on a connection past its age has left
  int max_idle_seconds = 900;        // without any RPC; 0 = no limit
  int keepalive_seconds = 60;  // silence after which the other end is asked for a sign of life
};

// How requests become batches.
struct BatchConfig {
  int max_images = 0;     // 0 = 1 on a CPU, 8 on a GPU
  int max_tokens = 4096;  // patches of all images of a batch
  int delay_ms = 0;       // what a lane without work waits for company
};

struct ServerConfig {
  std::string model;  // folder or file of weights
  std::string device = "cpu";
  bool warm_up = true;  // one image through every lane before serving

  std::string listen = "127.0.0.1:50051";
  std::string metrics_listen = "127.0.0.1:9464";  // kNoMetrics = no endpoint
  bool allow_non_loopback = false;                // in plain text
  std::string port_file;                          // empty = none
  ConnectionLimits connections;
  int send_timeout_seconds = 30;  // what a caller has to read its answer

  TlsFiles tls;
  std::string token_file;  // empty = no token is asked for
  bool reflection = true;

  Limits limits;
  int default_deadline_ms = 0;  // of a request that came without one; 0 = none

  int lanes = 0;           // threads that compute; 0 = cores / threads, on a GPU at most 4
  int threads = 1;         // Torch threads of a lane
  int decode_threads = 0;  // 0 = lanes
  int post_threads = 0;    // 0 = lanes
  BatchConfig batch;

  int drain_delay_seconds = 0;
  int grace_seconds = 30;

  std::string log_level = "info";

  // Replaces the zeros that stand for "as many as the machine has". REQUIRES: cores >= 1.
  void Resolve(int cores);

  // INVALID_ARGUMENT: what a single flag's check cannot see.
  absl::Status Validate() const;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_CONFIG_H_
