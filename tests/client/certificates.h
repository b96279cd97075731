// SPDX-License-Identifier: Apache-2.0
// Certificates made on the spot by the openssl program, valid for a day: an authority, and what it
// signed for 127.0.0.1.
#ifndef OBJECTDINO_TESTS_CLIENT_CERTIFICATES_H_
#define OBJECTDINO_TESTS_CLIENT_CERTIFICATES_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace objectdino::testing {

// Files in a folder that exists: NAME.pem and NAME.key of each.
class Certificates {
 public:
  explicit Certificates(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void MakeAuthority(const std::string& name) const {
    Run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=" + name +
        " -keyout " + Key(name) + " -out " + Certificate(name));
  }

  void Sign(const std::string& name, const std::string& authority) const {
    std::ofstream(folder_ / "names") << "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
    Run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " +
        Key(name) + " -out " + (folder_ / "request").string());
    Run("x509 -req -days 1 -in " + (folder_ / "request").string() + " -CA " +
        Certificate(authority) + " -CAkey " + Key(authority) + " -CAcreateserial -extfile " +
        (folder_ / "names").string() + " -out " + Certificate(name));
  }

  std::string Certificate(const std::string& name) const {
    return (folder_ / (name + ".pem")).string();
  }
  std::string Key(const std::string& name) const { return (folder_ / (name + ".key")).string(); }

 private:
  static void Run(const std::string& arguments) {
    const std::string command = "openssl " + arguments + " > /dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }

  std::filesystem::path folder_;
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CLIENT_CERTIFICATES_H_
