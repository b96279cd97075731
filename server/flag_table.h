// SPDX-License-Identifier: Apache-2.0
// The flags of a CLI11 app, each of which also shows its value.
//
//   FlagTable flags(app);
//   flags.Group("Network");
//   flags.Add("--listen", config.listen, "gRPC address")->type_name("HOST:PORT");
//
// Not thread-safe. The fields outlive the table.
#ifndef OBJECTDINO_SERVER_FLAG_TABLE_H_
#define OBJECTDINO_SERVER_FLAG_TABLE_H_

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace objectdino {

class FlagTable {
 public:
  explicit FlagTable(CLI::App& app) : app_(app) {}

  // The heading in --help of the flags that follow.
  void Group(const char* name) { group_ = name; }

  // "--name". Whole numbers are checked against [low, high].
  CLI::Option* Add(const char* flag, std::string& field, const char* help) {
    return Remember(app_.add_option(flag, field, help), &field);
  }
  template <typename Number>
  CLI::Option* Add(const char* flag, Number& field, Number low, Number high, const char* help) {
    return Remember(app_.add_option(flag, field, help)->check(CLI::Range(low, high)), &field);
  }
  // "--name" or "--name,!--no-name".
  CLI::Option* AddSwitch(const char* flag, bool& field, const char* help) {
    return Remember(app_.add_flag(flag, field, help), &field);
  }

  // {"max_queue": 64, ...}: every flag with the value of its field now.
  nlohmann::ordered_json Values() const {
    nlohmann::ordered_json values;
    for (const Shown& shown : shown_) values[shown.name] = shown.value();
    return values;
  }

 private:
  struct Shown {
    std::string name;
    std::function<nlohmann::ordered_json()> value;
  };

  template <typename T>
  CLI::Option* Remember(CLI::Option* option, const T* field) {
    std::string name = option->get_single_name();
    for (char& c : name) c = c == '-' ? '_' : c;
    shown_.push_back({std::move(name), [field] { return nlohmann::ordered_json(*field); }});
    return option->group(group_);
  }

  CLI::App& app_;
  std::string group_;
  std::vector<Shown> shown_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_FLAG_TABLE_H_
