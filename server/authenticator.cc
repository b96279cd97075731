// SPDX-License-Identifier: Apache-2.0
#include "server/authenticator.h"

#include <algorithm>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr size_t kMinTokenBytes = 16;
constexpr size_t kMaxTokenBytes = 4096;  // gRPC takes 8 KiB of metadata
constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr char kHeader[] = "authorization";
constexpr absl::string_view kScheme = "Bearer ";

Sha256Digest DigestOf(absl::string_view text) {
  Sha256Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

absl::StatusOr<std::vector<Sha256Digest>> LoadTokens(const std::string& path) {
  const auto error = [&](const absl::Status& status) {
    return absl::FailedPreconditionError(
        absl::StrCat("--token-file ", path, " ", std::string(status.message())));
  };
  const auto text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return error(text.status());
  auto tokens = ParseTokens(*text);
  if (!tokens.ok()) return error(tokens.status());
  return tokens;
}

void LogLoaded(const char* event, const std::string& path, size_t tokens, EventLog& log) {
  log.Info(event, {{"file", path}, {"tokens", tokens}});
  if (ReadableByAll(path)) log.Warning("auth.tokens_readable_by_all", {{"file", path}});
}

// What the caller showed; none where there is no authorization, more than one, or another scheme.
std::optional<absl::string_view> TokenOf(const Authenticator::Metadata& metadata) {
  const auto [first, end] = metadata.equal_range(kHeader);
  if (first == end || std::next(first) != end) return std::nullopt;
  const absl::string_view value(first->second.data(), first->second.size());
  if (!absl::StartsWithIgnoreCase(value, kScheme)) return std::nullopt;
  return absl::StripAsciiWhitespace(value.substr(kScheme.size()));
}

}  // namespace

absl::StatusOr<std::vector<Sha256Digest>> ParseTokens(absl::string_view text) {
  std::vector<Sha256Digest> digests;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const bool printable = std::all_of(line.begin(), line.end(), absl::ascii_isgraph);
    if (!printable || line.size() < kMinTokenBytes || line.size() > kMaxTokenBytes) {
      return absl::FailedPreconditionError(
          absl::StrCat("line ", number, " is no token: ", kMinTokenBytes, " to ", kMaxTokenBytes,
                       " printable characters without a space"));
    }
    digests.push_back(DigestOf(line));
  }
  if (digests.empty()) return absl::FailedPreconditionError("holds no token");
  return digests;
}

std::unique_ptr<Authenticator> Authenticator::AcceptAll() {
  return std::unique_ptr<Authenticator>(new Authenticator());
}

absl::StatusOr<std::unique_ptr<Authenticator>> Authenticator::FromFile(
    const std::string& path, EventLog& log, std::function<absl::Time()> now) {
  auto watch = std::make_unique<FileWatch>(std::vector<std::string>{path}, now());
  OBJECTDINO_ASSIGN_OR_RETURN(std::vector<Sha256Digest> digests, LoadTokens(path));
  LogLoaded("auth.loaded", path, digests.size(), log);
  std::unique_ptr<Authenticator> authenticator = AcceptAll();
  authenticator->source_.reset(new Source{path, log, std::move(now)});
  const MutexLock lock(authenticator->mutex_);
  authenticator->watch_ = std::move(watch);
  authenticator->digests_ = std::move(digests);
  return authenticator;
}

absl::Status Authenticator::Check(const Metadata& client_metadata) {
  if (source_ == nullptr) return absl::OkStatus();
  const std::optional<absl::string_view> token = TokenOf(client_metadata);
  if (!token.has_value()) {
    return absl::UnauthenticatedError(
        "this server needs exactly one metadata entry 'authorization: Bearer TOKEN'");
  }
  const Sha256Digest shown = DigestOf(*token);
  bool known = false;
  {
    const MutexLock lock(mutex_);
    ReloadLocked();
    for (const Sha256Digest& digest : digests_) {
      known |= CRYPTO_memcmp(digest.data(), shown.data(), shown.size()) == 0;
    }
  }
  return known ? absl::OkStatus() : absl::UnauthenticatedError("the token is not known here");
}

void Authenticator::ReloadLocked() {
  if (!watch_->Changed(source_->now())) return;
  auto digests = LoadTokens(source_->path);
  if (!digests.ok()) {
    source_->log.Error("auth.reload_failed",
                       {{"message", std::string(digests.status().message())}});
    return;
  }
  digests_ = *std::move(digests);
  LogLoaded("auth.reloaded", source_->path, digests_.size(), source_->log);
}

}  // namespace objectdino
