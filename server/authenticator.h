// SPDX-License-Identifier: Apache-2.0
// Bearer tokens: who may call.
//
// The file holds one token a line, several so that they can be exchanged without a gap; blank lines
// and lines that begin with # are no tokens. At most once a second, a call looks whether the file
// has changed. When it cannot be read or holds no token then, the tokens that were good stay good
// and the log says why ("auth.reload_failed"): to lock everyone out, write a token that nobody has.
//
//   auto authenticator = Authenticator::FromFile("tokens", log);
//   OBJECTDINO_RETURN_IF_ERROR((*authenticator)->Check(context->client_metadata()));
//
// Thread-safe. Cost of a check: one SHA-256 of what the caller sent, one comparison a token.
#ifndef OBJECTDINO_SERVER_AUTHENTICATOR_H_
#define OBJECTDINO_SERVER_AUTHENTICATOR_H_

#include <array>
#include <functional>
#include <grpcpp/support/string_ref.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "core/base/mutex.h"
#include "server/event_log.h"
#include "server/file_watch.h"

namespace objectdino {

using Sha256Digest = std::array<unsigned char, 32>;

// The digests of a token file's tokens. FAILED_PRECONDITION: no token, or a line that is none: less
// than 16 or more than 4,096 characters, or one that is not printable ASCII without spaces. Names
// the line, never what is in it.
absl::StatusOr<std::vector<Sha256Digest>> ParseTokens(absl::string_view text);

class Authenticator {
 public:
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

  // Lets every call pass.
  static std::unique_ptr<Authenticator> AcceptAll();

  // FAILED_PRECONDITION, one line that names the file: it cannot be read, or as ParseTokens. `log`
  // outlives the authenticator. `now` is absl::Now outside of tests.
  static absl::StatusOr<std::unique_ptr<Authenticator>> FromFile(
      const std::string& path, EventLog& log, std::function<absl::Time()> now = absl::Now);

  // UNAUTHENTICATED unless there is exactly one authorization, and it is "Bearer " and a token of
  // the file. How long this takes does not depend on the tokens.
  absl::Status Check(const Metadata& client_metadata) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Source {
    std::string path;
    EventLog& log;
    std::function<absl::Time()> now;
  };

  Authenticator() = default;
  void ReloadLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::unique_ptr<const Source> source_;  // null = accept all
  Mutex mutex_;
  std::unique_ptr<FileWatch> watch_ ABSL_GUARDED_BY(mutex_);
  std::vector<Sha256Digest> digests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_AUTHENTICATOR_H_
