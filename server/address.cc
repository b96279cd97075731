// SPDX-License-Identifier: Apache-2.0
#include "server/address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace objectdino {
namespace {

constexpr int kMaxPort = 65535;

}  // namespace

bool Address::loopback() const {
  if (host == "localhost" || host == "::1") return true;
  in_addr ipv4{};  // a name such as "127.example" is not an address, so text is not enough
  return inet_pton(AF_INET, host.c_str(), &ipv4) == 1 && (ntohl(ipv4.s_addr) >> 24) == 127;
}

std::string Address::ToString() const {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  const auto error = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("address '", text, "' ", why, " (HOST:PORT, IPv6 in brackets)"));
  };
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return error("has no port");
  Address address;
  const absl::string_view digits = text.substr(colon + 1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(digits, &address.port) || address.port > kMaxPort) {
    return error("has no port in [0, 65535]");
  }
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  if (host.empty()) return error("has no host");
  if (absl::StrContains(host, ':') != bracketed || absl::StrContains(host, '[')) {
    return error("is malformed");
  }
  address.host = std::string(host);
  return address;
}

}  // namespace objectdino
