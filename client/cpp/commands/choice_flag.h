// SPDX-License-Identifier: Apache-2.0
// A flag whose value is one of a few names.
#ifndef OBJECTDINO_CLIENT_CPP_COMMANDS_CHOICE_FLAG_H_
#define OBJECTDINO_CLIENT_CPP_COMMANDS_CHOICE_FLAG_H_

#include <map>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"

namespace objectdino {

// `value`, an Enum or a vector of them, keeps what it is unless the flag is given, and outlives
// `command`.
template <typename Enum, typename Value>
CLI::Option* AddChoice(CLI::App& command, const std::string& name, Value& value,
                       const std::map<std::string, Enum>& choices, const std::string& help) {
  std::string names;
  for (const auto& [choice, _] : choices) absl::StrAppend(&names, names.empty() ? "" : "|", choice);
  return command.add_option(name, value, help)
      ->transform(CLI::Transformer(choices))
      ->transform(
          CLI::IsMember(choices))  // put before the first: looks at the name, not the number
      ->option_text(names);
}

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_COMMANDS_CHOICE_FLAG_H_
