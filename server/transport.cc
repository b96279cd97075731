// SPDX-License-Identifier: Apache-2.0
#include "server/transport.h"

#include <algorithm>
#include <climits>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/resource_quota.h>
#include <memory>
#include <utility>
#include <vector>

namespace objectdino {
namespace {

// Clients may ask whether we are there this often; gRPC hangs up on those who do so more often.
constexpr int kClientKeepaliveMs = 10'000;
// What a client has to answer when we ask.
constexpr int kKeepaliveTimeoutMs = 20'000;
// Reflection takes a thread for every stream; nothing else here takes threads from the quota.
constexpr int kReflectionThreads = 16;
constexpr size_t kMiB = size_t{1} << 20;

int MillisecondsOrNever(int seconds) { return seconds == 0 ? INT_MAX : seconds * 1000; }

// gRPC's reflection library gives itself to every server of a process that links it.
class ReflectionOption final : public grpc::ServerBuilderOption {
 public:
  explicit ReflectionOption(bool on) : on_(on) {}

  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    auto reflection = std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>();
    plugins->erase(
        std::remove_if(plugins->begin(), plugins->end(),
                       [&](const auto& plugin) { return plugin->name() == reflection->name(); }),
        plugins->end());
    if (on_) plugins->push_back(std::move(reflection));
  }

 private:
  const bool on_;
};

}  // namespace

void SetConnectionLimits(const ConnectionLimits& limits, grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             MillisecondsOrNever(limits.max_age_seconds));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             limits.max_age_grace_seconds * 1000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             MillisecondsOrNever(limits.max_idle_seconds));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, limits.keepalive_seconds * 1000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kClientKeepaliveMs);
  grpc::ResourceQuota quota("objectdino");
  quota.Resize(static_cast<size_t>(limits.memory_mb) * kMiB).SetMaxThreads(kReflectionThreads);
  builder.SetResourceQuota(quota);
}

void SetReflection(bool on, grpc::ServerBuilder& builder) {
  builder.SetOption(std::make_unique<ReflectionOption>(on));
}

}  // namespace objectdino
