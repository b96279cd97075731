// SPDX-License-Identifier: Apache-2.0
#include "server/metrics_endpoint.h"

#include <chrono>
#include <exception>
#include <future>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace objectdino {
namespace {

constexpr std::chrono::milliseconds kBetweenKnocks(5);

// Connects to `address` and hangs up. Does not wait, and does not mind when nobody is there.
void Knock(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) !=
      0) {
    return;
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    static_cast<void>(connect(fd, found->ai_addr, found->ai_addrlen));
    close(fd);
  }
  freeaddrinfo(found);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const Address& listen) {
  Address bound = listen;
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(listen.ToString());
    bound.port = exposer->GetListeningPorts().front();
  } catch (const std::exception&) {  // CivetWeb's text does not say more than that
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen for metrics on ", listen.ToString(),
                     ": the port is taken or the address is not of this machine"));
  }
  return std::unique_ptr<MetricsEndpoint>(
      new MetricsEndpoint(std::move(exposer), std::move(bound)));
}

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<prometheus::Exposer> exposer, Address address)
    : exposer_(std::move(exposer)), address_(std::move(address)) {}

// CivetWeb looks every two seconds whether it should stop, or when somebody connects.
MetricsEndpoint::~MetricsEndpoint() {
  const std::future<void> stopped = std::async(std::launch::async, [this] { exposer_.reset(); });
  while (stopped.wait_for(kBetweenKnocks) != std::future_status::ready) Knock(address_);
}

}  // namespace objectdino
