// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <cstdio>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

CommandLine Parse(const std::vector<std::string>& arguments,
                  const std::map<std::string, std::string>& variables = {}) {
  return ParseCommandLine(
      arguments,
      [&](const char* name) {
        const auto it = variables.find(name);
        return it == variables.end() ? nullptr : it->second.c_str();
      },
      "objectdino-server 1.2.3");
}

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(Config, ModelAlone_HasDefaults) {
  const CommandLine command = Parse({"--model", "m"});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->model, "m");
  EXPECT_EQ(command.config->listen, "127.0.0.1:50051");
  EXPECT_EQ(command.config->threads, 1);
  EXPECT_GE(command.config->lanes, 1);
  EXPECT_EQ(command.config->limits.max_request_bytes, 32 << 20);
}

TEST(Config, Flags_SetTheirFields) {
  const CommandLine command =
      Parse({"--model=m", "--lanes", "3", "--max-message-mb=5", "--max-response-mb=6",
             "--max-pixels=7", "--device=cuda:1", "--listen=[::1]:0", "--grace-seconds=0"});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->lanes, 3);
  EXPECT_EQ(command.config->limits.max_request_bytes, 5 << 20);
  EXPECT_EQ(command.config->limits.max_response_bytes, 6 << 20);
  EXPECT_EQ(command.config->limits.max_pixels, 7);
  EXPECT_EQ(command.config->device, "cuda:1");
  EXPECT_EQ(command.config->grace_seconds, 0);
}

TEST(Config, FlagWinsOverEnvironment_EnvironmentOverFile) {
  const std::string file = WriteFile(
      "precedence.conf", "max-inflight = 1\nlanes = 1\nthreads = 1\nmodel = \"from file\"\n");
  const CommandLine command = Parse({"--config", file, "--max-inflight=3"},
                                    {{"OBJECTDINO_MAX_INFLIGHT", "2"}, {"OBJECTDINO_LANES", "2"}});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->limits.max_inflight, 3);
  EXPECT_EQ(command.config->lanes, 2);
  EXPECT_EQ(command.config->threads, 1);
  EXPECT_EQ(command.config->model, "from file");
}

TEST(Config, EnvironmentAlone_IsEnough) {
  const std::string file = WriteFile("environment.conf", "threads = 4\n");
  const CommandLine command = Parse({}, {{"OBJECTDINO_MODEL", "m"},
                                         {"OBJECTDINO_CONFIG", file},
                                         {"OBJECTDINO_LISTEN", "0.0.0.0:1"},
                                         {"OBJECTDINO_ALLOW_NON_LOOPBACK", "true"}});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->listen, "0.0.0.0:1");
  EXPECT_EQ(command.config->threads, 4);
}

struct BadUsage {
  std::vector<std::string> arguments;
  std::string message;
};

class ConfigBadUsage : public ::testing::TestWithParam<BadUsage> {};

TEST_P(ConfigBadUsage, OneLineAndExitCode2) {
  const CommandLine command = Parse(GetParam().arguments);
  EXPECT_FALSE(command.config.has_value());
  EXPECT_EQ(command.exit_code, kExitUsage);
  EXPECT_THAT(command.text, AllOf(HasSubstr(GetParam().message), ::testing::EndsWith("\n")));
  EXPECT_EQ(std::count(command.text.begin(), command.text.end(), '\n'), 1) << command.text;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ConfigBadUsage,
    ::testing::Values(BadUsage{{}, "--model"}, BadUsage{{"--model=m", "--speed=9"}, "--speed"},
                      BadUsage{{"--model=m", "stray"}, "stray"},
                      BadUsage{{"--model=m", "--lanes=x"}, "--lanes"},
                      BadUsage{{"--model=m", "--max-inflight=0"}, "--max-inflight"},
                      BadUsage{{"--model=m", "--max-inflight=1001"}, "--max-inflight"},
                      BadUsage{{"--model=m", "--device=tpu"}, "--device"},
                      BadUsage{{"--model=m", "--device=cuda:-1"}, "--device"},
                      BadUsage{{"--model=m", "--log-level=loud"}, "--log-level"},
                      BadUsage{{"--model=m", "--listen=nowhere"}, "HOST:PORT"},
                      BadUsage{{"--model=m", "--listen=0.0.0.0:1"}, "--allow-non-loopback"},
                      BadUsage{{"--model=m", "--metrics-listen=10.0.0.1:1"},
                               "--allow-non-loopback"},
                      BadUsage{{"--model=m", "--config=/does/not/exist"}, "/does/not/exist"}));

TEST(Config, UnknownKeyOfTheFile_IsFatal) {
  const CommandLine command =
      Parse({"--model=m", "--config", WriteFile("unknown.conf", "speed = 9\n")});
  EXPECT_EQ(command.exit_code, kExitUsage);
  EXPECT_THAT(command.text, HasSubstr("speed"));
}

TEST(Config, Help_ShowsEveryFlagItsDefaultAndTheExitCodes) {
  const CommandLine command = Parse({"--help"});
  EXPECT_EQ(command.exit_code, kExitOk);
  for (const char* text : {"--model",           "--listen",
                           "127.0.0.1:50051",   "--metrics-listen",
                           "127.0.0.1:9464",    "--allow-non-loopback",
                           "--port-file",       "--device",
                           "--lanes",           "--threads",
                           "--max-inflight",    "--max-pixels",
                           "--max-dimension",   "--max-message-mb",
                           "--max-response-mb", "--max-input-size",
                           "--grace-seconds",   "--log-level",
                           "--config",          "--version",
                           "Exit codes",        "OBJECTDINO_MAX_INFLIGHT"}) {
    EXPECT_THAT(command.text, HasSubstr(text));
  }
  // One release of the flags library writes a default as "=64", another as " [64]".
  const std::pair<const char*, const char*> defaults[] = {
      {"--max-inflight", "64"},   {"--max-pixels", "50000000"}, {"--max-dimension", "16384"},
      {"--max-message-mb", "32"}, {"--max-input-size", "1024"}, {"--grace-seconds", "30"}};
  for (const auto& [flag, value] : defaults) {
    const size_t start = command.text.find(absl::StrCat("\n  ", flag, " "));
    ASSERT_NE(start, std::string::npos) << flag;
    const std::string line =
        command.text.substr(start + 1, command.text.find('\n', start + 1) - start - 1);
    EXPECT_THAT(line, ::testing::AnyOf(HasSubstr(absl::StrCat("=", value)),
                                       HasSubstr(absl::StrCat("[", value, "]"))));
  }
}

TEST(Config, Version_IsPrinted) {
  const CommandLine command = Parse({"--version"});
  EXPECT_EQ(command.exit_code, kExitOk);
  EXPECT_EQ(command.text, "objectdino-server 1.2.3\n");
}

}  // namespace
}  // namespace objectdino
