// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/security.h"

#include <algorithm>
#include <arpa/inet.h>
#include <grpcpp/client_context.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr size_t kMaxPemBytes = size_t{1} << 20;
constexpr size_t kMaxTokenBytes = 4096;  // gRPC's default limit on all metadata is 8 KiB

absl::StatusOr<std::string> ReadSecret(const std::string& path, size_t max_bytes) {
  auto bytes = ReadFile(path, max_bytes);
  if (bytes.ok()) return bytes;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", bytes.status().message()));
}

// Empty for no path.
absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  OBJECTDINO_ASSIGN_OR_RETURN(std::string pem, ReadSecret(path, kMaxPemBytes));
  if (absl::StrContains(pem, "-----BEGIN ")) return pem;
  return absl::InvalidArgumentError(absl::StrCat(path, ": holds no PEM"));
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string bytes, ReadSecret(path, kMaxTokenBytes));
  const absl::string_view token = absl::StripAsciiWhitespace(bytes);
  const bool is_clean = std::all_of(token.begin(), token.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (token.empty() || !is_clean) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": holds no token: printable characters without spaces"));
  }
  return std::string(token);
}

bool IsIpv4Loopback(const std::string& host) {
  in_addr address = {};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

}  // namespace

void Security::AddTo(grpc::ClientContext& context) const {
  if (!authorization.empty()) context.AddMetadata("authorization", authorization);
}

bool IsLoopback(absl::string_view address) {
  if (absl::StartsWith(address, "unix:") || absl::StartsWith(address, "unix-abstract:"))
    return true;
  absl::ConsumePrefix(&address, "dns:///") || absl::ConsumePrefix(&address, "dns:") ||
      absl::ConsumePrefix(&address, "ipv4:") || absl::ConsumePrefix(&address, "ipv6:");
  if (absl::StrContains(address, ',')) return false;  // a list of addresses
  if (absl::StartsWith(address, "[")) return absl::StartsWith(address, "[::1]");
  const absl::string_view host = address.substr(0, address.find(':'));
  return host == "localhost" || IsIpv4Loopback(std::string(host));
}

absl::StatusOr<Security> MakeSecurity(const std::string& address, const SecurityOptions& options) {
  if (options.cert_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError("a certificate and its key come together");
  }
  const bool use_tls = !options.ca_file.empty();
  if (!use_tls && !options.cert_file.empty()) {
    return absl::InvalidArgumentError(
        "a client's certificate needs TLS: name the file of trusted certificates");
  }
  Security security;
  if (!options.token_file.empty()) {
    if (!use_tls && !IsLoopback(address)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a token is not sent to ", address, " as plain text: use TLS"));
    }
    OBJECTDINO_ASSIGN_OR_RETURN(const std::string token, ReadToken(options.token_file));
    security.authorization = absl::StrCat("Bearer ", token);
  }
  if (use_tls) {
    grpc::SslCredentialsOptions tls;
    OBJECTDINO_ASSIGN_OR_RETURN(tls.pem_root_certs, ReadPem(options.ca_file));
    OBJECTDINO_ASSIGN_OR_RETURN(tls.pem_cert_chain, ReadPem(options.cert_file));
    OBJECTDINO_ASSIGN_OR_RETURN(tls.pem_private_key, ReadPem(options.key_file));
    security.credentials = grpc::SslCredentials(tls);
  } else {
    security.credentials = grpc::InsecureChannelCredentials();
  }
  return security;
}

}  // namespace objectdino
