// SPDX-License-Identifier: Apache-2.0
// The address at which /metrics is scraped.
#ifndef OBJECTDINO_SERVER_METRICS_ENDPOINT_H_
#define OBJECTDINO_SERVER_METRICS_ENDPOINT_H_

#include <memory>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <string>

#include "absl/status/statusor.h"

#include "server/address.h"

namespace objectdino {

// Thread-safe.
class MetricsEndpoint {
 public:
  // Plain HTTP at `listen`. FAILED_PRECONDITION: the address cannot be taken.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const Address& listen);
  ~MetricsEndpoint();

  // Shows what `collectable` has; the endpoint does not keep it alive.
  void Add(const std::weak_ptr<prometheus::Collectable>& collectable) {
    exposer_->RegisterCollectable(collectable);
  }

  // As bound: port 0 is replaced by the port.
  const Address& address() const { return address_; }

 private:
  MetricsEndpoint(std::unique_ptr<prometheus::Exposer> exposer, Address address);

  std::unique_ptr<prometheus::Exposer> exposer_;
  const Address address_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_METRICS_ENDPOINT_H_
