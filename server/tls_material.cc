// SPDX-License-Identifier: Apache-2.0
#include "server/tls_material.h"

#include <ctime>
#include <memory>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr size_t kMaxPemBytes = size_t{4} << 20;  // a bundle of all public roots is 200 kB

template <typename T, void (*kFree)(T*)>
struct Free {
  void operator()(T* object) const { kFree(object); }
};
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Reader = std::unique_ptr<BIO, Free<BIO, BIO_free_all>>;

Reader ReaderOf(const std::string& pem) {
  return Reader(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

absl::Status FileError(const char* flag, const std::string& path, absl::string_view what) {
  ERR_clear_error();  // OpenSSL's queue belongs to the thread, and others read it
  return absl::FailedPreconditionError(absl::StrCat(flag, " ", path, " ", what));
}

absl::StatusOr<std::string> ReadPem(const char* flag, const std::string& path) {
  absl::StatusOr<std::string> pem = ReadFile(path, kMaxPemBytes);
  if (!pem.ok()) return FileError(flag, path, std::string(pem.status().message()));
  if (absl::StripAsciiWhitespace(*pem).empty()) return FileError(flag, path, "is empty");
  return pem;
}

// The first certificate of `pem`; null where there is none, or what follows it is broken.
Certificate FirstCertificate(const std::string& pem) {
  const Reader reader = ReaderOf(pem);
  Certificate first(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
  if (first == nullptr) return nullptr;
  while (Certificate(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) != nullptr) {
  }
  const unsigned long error = ERR_peek_last_error();  // NOLINT(google-runtime-int): OpenSSL's type
  if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE) return nullptr;
  ERR_clear_error();
  return first;
}

// Without this, OpenSSL would ask for a password at the terminal.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

absl::Time NotAfter(const X509& certificate) {
  std::tm tm{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &tm) != 1) return absl::InfiniteFuture();
  return absl::FromTM(tm, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<TlsMaterial> LoadTlsMaterial(const TlsFiles& files) {
  TlsMaterial material;
  OBJECTDINO_ASSIGN_OR_RETURN(material.certificate, ReadPem("--tls-cert", files.certificate));
  const Certificate certificate = FirstCertificate(material.certificate);
  if (certificate == nullptr) {
    return FileError("--tls-cert", files.certificate, "holds no PEM certificates");
  }
  material.not_after = NotAfter(*certificate);

  OBJECTDINO_ASSIGN_OR_RETURN(material.key, ReadPem("--tls-key", files.key));
  const Key key(
      PEM_read_bio_PrivateKey(ReaderOf(material.key).get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) {
    return FileError("--tls-key", files.key, "holds no PEM private key without a password");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return FileError("--tls-key", files.key,
                     absl::StrCat("is not the key of --tls-cert ", files.certificate));
  }

  if (files.client_ca.empty()) return material;
  OBJECTDINO_ASSIGN_OR_RETURN(material.client_ca, ReadPem("--tls-client-ca", files.client_ca));
  if (FirstCertificate(material.client_ca) == nullptr) {
    return FileError("--tls-client-ca", files.client_ca, "holds no PEM certificates");
  }
  return material;
}

}  // namespace objectdino
