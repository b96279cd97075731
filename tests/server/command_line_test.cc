// SPDX-License-Identifier: Apache-2.0
#include "server/command_line.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

CommandLine Parse(const std::vector<std::string>& arguments,
                  const std::map<std::string, std::string>& variables = {}) {
  return ParseCommandLine(
      arguments,
      [&](const char* name) {
        const auto it = variables.find(name);
        return it == variables.end() ? nullptr : it->second.c_str();
      },
      "objectdino-server 1.2.3", /*cores=*/6);
}

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path =
      absl::StrCat(::testing::TempDir(),
                   ::testing::UnitTest::GetInstance()->current_test_info()->name(), "_", name);
  std::ofstream(path) << text;
  return path;
}

TEST(CommandLine, ModelAlone_HasDefaults) {
  const CommandLine command = Parse({"--model", "m"});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->model, "m");
  EXPECT_EQ(command.config->listen, "127.0.0.1:50051");
  EXPECT_EQ(command.config->threads, 1);
  EXPECT_EQ(command.config->lanes, 6);
  EXPECT_EQ(command.config->limits.max_request_bytes, 32 << 20);
  EXPECT_EQ(command.config->limits.max_queue, 64);
  EXPECT_EQ(command.config->limits.max_inflight_bytes, 1 << 30);
  EXPECT_TRUE(command.config->warm_up);
  EXPECT_TRUE(command.config->reflection);
  EXPECT_FALSE(command.config->tls.enabled());
}

TEST(CommandLine, Flags_SetTheirFields) {
  const CommandLine command = Parse({"--model=m",
                                     "--lanes",
                                     "3",
                                     "--max-message-mb=5",
                                     "--max-response-mb=6",
                                     "--max-pixels=7",
                                     "--device=cuda:1",
                                     "--listen=[::1]:0",
                                     "--grace-seconds=0",
                                     "--max-queue=8",
                                     "--max-inflight-mb=9",
                                     "--no-warm-up",
                                     "--tls-cert=c",
                                     "--tls-key=k",
                                     "--tls-client-ca=r",
                                     "--token-file=t",
                                     "--max-batch=10",
                                     "--max-batch-tokens=11",
                                     "--batch-delay-ms=12",
                                     "--decode-threads=13",
                                     "--post-threads=14",
                                     "--default-deadline-ms=15",
                                     "--max-concurrent-streams=16",
                                     "--max-connections-memory-mb=17",
                                     "--max-connection-age-seconds=18",
                                     "--max-connection-age-grace-seconds=19",
                                     "--max-connection-idle-seconds=20",
                                     "--keepalive-seconds=21",
                                     "--send-timeout-seconds=22",
                                     "--drain-delay-seconds=23"});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->lanes, 3);
  EXPECT_EQ(command.config->limits.max_request_bytes, 5 << 20);
  EXPECT_EQ(command.config->limits.max_response_bytes, 6 << 20);
  EXPECT_EQ(command.config->limits.max_pixels, 7);
  EXPECT_EQ(command.config->device, "cuda:1");
  EXPECT_EQ(command.config->grace_seconds, 0);
  EXPECT_EQ(command.config->limits.max_queue, 8);
  EXPECT_EQ(command.config->limits.max_inflight_bytes, 9 << 20);
  EXPECT_FALSE(command.config->warm_up);
  EXPECT_EQ(command.config->tls.certificate, "c");
  EXPECT_EQ(command.config->tls.key, "k");
  EXPECT_EQ(command.config->tls.client_ca, "r");
  EXPECT_EQ(command.config->token_file, "t");
  EXPECT_EQ(command.config->batch.max_images, 10);
  EXPECT_EQ(command.config->batch.max_tokens, 11);
  EXPECT_EQ(command.config->batch.delay_ms, 12);
  EXPECT_EQ(command.config->decode_threads, 13);
  EXPECT_EQ(command.config->post_threads, 14);
  EXPECT_EQ(command.config->default_deadline_ms, 15);
  EXPECT_EQ(command.config->connections.max_concurrent_streams, 16);
  EXPECT_EQ(command.config->connections.memory_mb, 17);
  EXPECT_EQ(command.config->connections.max_age_seconds, 18);
  EXPECT_EQ(command.config->connections.max_age_grace_seconds, 19);
  EXPECT_EQ(command.config->connections.max_idle_seconds, 20);
  EXPECT_EQ(command.config->connections.keepalive_seconds, 21);
  EXPECT_EQ(command.config->send_timeout_seconds, 22);
  EXPECT_EQ(command.config->drain_delay_seconds, 23);
}

TEST(CommandLine, Reflection_IsOffBehindATokenUnlessAskedFor) {
  const auto reflection = [](const std::vector<std::string>& flags,
                             const std::map<std::string, std::string>& variables = {}) {
    std::vector<std::string> arguments = {"--model=m"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const CommandLine command = Parse(arguments, variables);
    EXPECT_TRUE(command.config.has_value()) << command.text;
    EXPECT_EQ(command.effective["reflection"], command.config->reflection);
    return command.config->reflection;
  };
  EXPECT_TRUE(reflection({}));
  EXPECT_FALSE(reflection({"--no-reflection"}));
  EXPECT_FALSE(reflection({}, {{"OBJECTDINO_REFLECTION", "false"}}));
  EXPECT_FALSE(reflection({"--token-file=t"}));
  EXPECT_TRUE(reflection({"--token-file=t", "--reflection"}));
  EXPECT_TRUE(reflection({"--token-file=t"}, {{"OBJECTDINO_REFLECTION", "true"}}));
}

TEST(CommandLine, FlagWinsOverEnvironment_EnvironmentOverFile) {
  const std::string file = WriteFile(
      "precedence.toml", "max-queue = 1\nlanes = 1\nthreads = 1\nmodel = \"from file\"\n");
  const CommandLine command = Parse({"--config", file, "--max-queue=3"},
                                    {{"OBJECTDINO_MAX_QUEUE", "2"}, {"OBJECTDINO_LANES", "2"}});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->limits.max_queue, 3);
  EXPECT_EQ(command.config->lanes, 2);
  EXPECT_EQ(command.config->threads, 1);
  EXPECT_EQ(command.config->model, "from file");
}

TEST(CommandLine, File_MaySayEverything) {
  const std::string file = WriteFile("everything.toml", R"(# how this server is run
model = "models/a b"          # with a space
max-pixels = 40_000_000
warm-up = false
allow-non-loopback = true
listen = "0.0.0.0:50051"
log-level = 'warning'

[tls]
cert = "/etc/objectdino/tls#1.crt"
key = "/etc/objectdino/tls.key"

[batch]
delay-ms = 3
)");
  const CommandLine command = Parse({"--config", file});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  EXPECT_EQ(command.config->model, "models/a b");
  EXPECT_EQ(command.config->limits.max_pixels, 40'000'000);
  EXPECT_FALSE(command.config->warm_up);
  EXPECT_TRUE(command.config->allow_non_loopback);
  EXPECT_EQ(command.config->listen, "0.0.0.0:50051");
  EXPECT_EQ(command.config->log_level, "warning");
  EXPECT_EQ(command.config->tls.certificate, "/etc/objectdino/tls#1.crt");
  EXPECT_EQ(command.config->tls.key, "/etc/objectdino/tls.key");
  EXPECT_EQ(command.config->batch.delay_ms, 3);
}

TEST(CommandLine, EnvironmentAlone_IsEnough) {
  const std::string file = WriteFile("environment.toml", "threads = 4\n");
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

class CommandLineBadUsage : public ::testing::TestWithParam<BadUsage> {};

TEST_P(CommandLineBadUsage, OneLineAndExitCode2) {
  const CommandLine command = Parse(GetParam().arguments);
  EXPECT_FALSE(command.config.has_value());
  EXPECT_EQ(command.exit_code, kExitUsage);
  EXPECT_THAT(command.text, AllOf(HasSubstr(GetParam().message), EndsWith("\n")));
  EXPECT_EQ(std::count(command.text.begin(), command.text.end(), '\n'), 1) << command.text;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, CommandLineBadUsage,
    ::testing::Values(
        BadUsage{{}, "--model"}, BadUsage{{"--model=m", "--speed=9"}, "--speed"},
        BadUsage{{"--model=m", "stray"}, "stray"}, BadUsage{{"--model=m", "--lanes=x"}, "--lanes"},
        BadUsage{{"--model=m", "--max-queue=0"}, "--max-queue"},
        BadUsage{{"--model=m", "--max-queue=10001"}, "--max-queue"},
        BadUsage{{"--model=m", "--max-inflight=9"}, "--max-inflight"},
        BadUsage{{"--model=m", "--keepalive-seconds=0"}, "--keepalive-seconds"},
        BadUsage{{"--model=m", "--warm-up=perhaps"}, "perhaps"},
        BadUsage{{"--model=m", "--tls-cert=c"}, "--tls-key"},
        BadUsage{{"--model=m", "--tls-client-ca=c"}, "--tls-cert"},
        BadUsage{{"--model=m", "--token-file=t", "--listen=0.0.0.0:1"}, "--allow-non-loopback"},
        BadUsage{{"--model=m", "--device=tpu"}, "--device"},
        BadUsage{{"--model=m", "--device=cuda:-1"}, "--device"},
        BadUsage{{"--model=m", "--log-level=loud"}, "--log-level"},
        BadUsage{{"--model=m", "--listen=nowhere"}, "HOST:PORT"},
        BadUsage{{"--model=m", "--listen=0.0.0.0:1"}, "--allow-non-loopback"},
        BadUsage{{"--model=m", "--metrics-listen=10.0.0.1:1"}, "--allow-non-loopback"},
        BadUsage{{"--model=m", "--config=/does/not/exist"}, "/does/not/exist"}));

TEST(CommandLine, BadFile_IsFatalAndNamesTheLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"\nspeed = 9\n", "line 2: unknown key 'speed'"},
      {"[tls]\ncrt = 'a'\n", "line 2: unknown key 'tls-crt'"},
      {"help = true\n", "unknown key 'help'"},
      {"version = true\n", "unknown key 'version'"},
      {"config = 'other.toml'\n", "unknown key 'config'"},
      {"lanes 3\n", "line 1: "},
      {"lanes = [1, 2]\n", "line 1: 'lanes'"},
      {"lanes = 'x'\n", "lanes"},
      {"max-queue = 0\n", "max-queue"}};
  for (const auto& [text, message] : cases) {
    const CommandLine command = Parse({"--model=m", "--config", WriteFile("bad.toml", text)});
    EXPECT_EQ(command.exit_code, kExitUsage) << text;
    EXPECT_THAT(command.text, AllOf(HasSubstr(message), EndsWith("\n"))) << text;
    EXPECT_EQ(std::count(command.text.begin(), command.text.end(), '\n'), 1) << command.text;
  }
}

// Flags that end the program, or say where others are, are not of the configuration.
std::set<std::string> FlagsOfHelp() {
  const std::string help = Parse({"--help"}).text;
  const std::regex flag("\n  (?:-h,)?--([a-z-]+)");
  std::set<std::string> flags;
  for (std::sregex_iterator match(help.begin(), help.end(), flag), end; match != end; ++match) {
    flags.insert((*match)[1]);
  }
  EXPECT_EQ(flags.erase("help") + flags.erase("version"), 2U);
  return flags;
}

TEST(CommandLine, Effective_HasEveryFlagWithItsValue) {
  const std::string file = WriteFile("effective.toml", "lanes = 3\n");
  const CommandLine command = Parse({"--model=m", "--config", file, "--max-inflight-mb=99"},
                                    {{"OBJECTDINO_GRACE_SECONDS", "7"}});
  ASSERT_TRUE(command.config.has_value()) << command.text;
  std::set<std::string> shown;
  for (const auto& [name, value] : command.effective.items()) {
    std::string flag = name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    shown.insert(flag);
  }
  EXPECT_EQ(shown, FlagsOfHelp());
  EXPECT_EQ(command.effective["config"], file);
  EXPECT_EQ(command.effective["model"], "m");
  EXPECT_EQ(command.effective["lanes"], 3);
  EXPECT_EQ(command.effective["decode_threads"], 3);
  EXPECT_EQ(command.effective["max_inflight_mb"], 99);
  EXPECT_EQ(command.effective["grace_seconds"], 7);
  EXPECT_EQ(command.effective["warm_up"], true);
}

TEST(CommandLine, Help_ShowsGroupsDefaultsAndExitCodes) {
  const CommandLine command = Parse({"--help"});
  EXPECT_EQ(command.exit_code, kExitOk);
  for (const char* text : {"Model:", "Network:", "Security:", "Admission:", "Batching:",
                           "Life cycle:", "Observability:", "127.0.0.1:50051", "127.0.0.1:9464",
                           "Exit codes", "OBJECTDINO_MAX_QUEUE"}) {
    EXPECT_THAT(command.text, HasSubstr(text));
  }
  // One release of the flags library writes a default as "=64", another as " [64]".
  const std::pair<const char*, const char*> defaults[] = {
      {"--max-queue", "64"},     {"--max-pixels", "50000000"}, {"--max-dimension", "16384"},
      {"--max-regions", "256"},  {"--max-message-mb", "32"},   {"--max-input-size", "1024"},
      {"--grace-seconds", "30"}, {"--keepalive-seconds", "60"}};
  for (const auto& [flag, value] : defaults) {
    const size_t start = command.text.find(absl::StrCat("\n  ", flag, " "));
    ASSERT_NE(start, std::string::npos) << flag;
    const std::string line =
        command.text.substr(start + 1, command.text.find('\n', start + 1) - start - 1);
    EXPECT_THAT(line, ::testing::AnyOf(HasSubstr(absl::StrCat("=", value)),
                                       HasSubstr(absl::StrCat("[", value, "]"))));
  }
}

TEST(CommandLine, Version_IsPrinted) {
  const CommandLine command = Parse({"--version"});
  EXPECT_EQ(command.exit_code, kExitOk);
  EXPECT_EQ(command.text, "objectdino-server 1.2.3\n");
}

}  // namespace
}  // namespace objectdino
