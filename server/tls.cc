// SPDX-License-Identifier: Apache-2.0
#include "server/tls.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"

#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "server/file_watch.h"
#include "server/tls_material.h"

namespace objectdino {
namespace {

void LogLoaded(const char* event, const TlsFiles& files, const TlsMaterial& material,
               EventLog& log) {
  log.Info(event, {{"certificate", files.certificate},
                   {"client_ca", files.client_ca},
                   {"not_after",
                    absl::FormatTime(absl::RFC3339_sec, material.not_after, absl::UTCTimeZone())}});
  if (material.not_after < absl::Now()) {
    log.Warning("tls.certificate_expired", {{"certificate", files.certificate}});
  }
  if (ReadableByAll(files.key)) log.Warning("tls.key_readable_by_all", {{"key", files.key}});
}

// The files, and what was last good of them. Thread-safe.
class Source {
 public:
  Source(TlsFiles files, FileWatch watch, TlsMaterial material, EventLog& log)
      : files_(std::move(files)),
        log_(log),
        watch_(std::move(watch)),
        unused_(std::move(material)) {}

  // For gRPC, before the handshake of every connection.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    const std::optional<TlsMaterial> fresh = static_cast<Source*>(self)->Fresh();
    if (!fresh.has_value()) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {fresh->key.c_str(), fresh->certificate.c_str()};
    // gRPC insists on roots. Where no client is asked for a certificate nobody looks at them.
    const std::string& roots = fresh->client_ca.empty() ? fresh->certificate : fresh->client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

 private:
  // What gRPC has not got yet.
  std::optional<TlsMaterial> Fresh() {
    const MutexLock lock(mutex_);
    if (unused_.has_value()) return std::exchange(unused_, std::nullopt);
    if (!watch_.Changed(absl::Now())) return std::nullopt;
    absl::StatusOr<TlsMaterial> material = LoadTlsMaterial(files_);
    if (!material.ok()) {
      log_.Error("tls.reload_failed", {{"message", std::string(material.status().message())}});
      return std::nullopt;
    }
    LogLoaded("tls.reloaded", files_, *material, log_);
    return *std::move(material);
  }

  const TlsFiles files_;
  EventLog& log_;
  Mutex mutex_;
  FileWatch watch_ ABSL_GUARDED_BY(mutex_);
  std::optional<TlsMaterial> unused_ ABSL_GUARDED_BY(mutex_);
};

// What gRPC's C++ half lacks: server credentials that ask for their certificates.
class FetchingCredentials final : public grpc::ServerCredentials {
 public:
  FetchingCredentials(std::unique_ptr<Source> source, bool clients_need_certificate)
      : source_(std::move(source)),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                clients_need_certificate
                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                    : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                Source::Fetch, source_.get()))) {}
  ~FetchingCredentials() override { grpc_server_credentials_release(credentials_); }

  // Callers are checked by the service, with or without TLS.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  const std::unique_ptr<Source> source_;
  grpc_server_credentials* const credentials_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(const TlsFiles& files,
                                                                            EventLog& log) {
  FileWatch watch({files.certificate, files.key, files.client_ca}, absl::Now());
  OBJECTDINO_ASSIGN_OR_RETURN(TlsMaterial material, LoadTlsMaterial(files));
  LogLoaded("tls.loaded", files, material, log);
  auto source = std::make_unique<Source>(files, std::move(watch), std::move(material), log);
  return std::make_shared<FetchingCredentials>(std::move(source), !files.client_ca.empty());
}

}  // namespace objectdino
