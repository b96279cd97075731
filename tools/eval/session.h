// SPDX-License-Identifier: Apache-2.0
// One run of an evaluation: data set, methods, records, table, files.
#ifndef OBJECTDINO_TOOLS_EVAL_SESSION_H_
#define OBJECTDINO_TOOLS_EVAL_SESSION_H_

#include <atomic>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/eval/command.h"
#include "tools/eval/methods.h"
#include "tools/eval/source.h"
#include "tools/eval/table.h"

#include "core/evaluation/dataset.h"
#include "core/evaluation/journal.h"
#include "core/evaluation/record.h"

namespace objectdino {

enum class SheetOrder { kBestWorst, kFirst };

struct Arguments {
  DatasetOptions data;
  std::string model = "models/dinov2-small";
  std::string server;                // empty: in this process
  std::vector<std::string> methods;  // empty: those by default
  OptionFlags options;
  int lanes = 1;
  size_t limit = 0;  // 0: all images
  TableFormat format = TableFormat::kText;
  std::string resume;       // empty: none
  std::string predictions;  // corloc; empty: none
  std::string sheet;        // corloc; empty: none
  size_t sheet_count = 24;
  SheetOrder sheet_order = SheetOrder::kBestWorst;
};

// Where a run talks to; all outlive it.
struct EvalConsole {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;
  const std::atomic<bool>& interrupted;
};

class Session {
 public:
  Session(const Arguments& args, const std::string& command_name, const Command& command,
          const EvalConsole& console)
      : args_(args), command_name_(command_name), command_(command), console_(console) {}

  // Prints the table and writes the files that were asked for. CANCELLED when interrupted.
  absl::Status Run();

 private:
  absl::Status Prepare();
  absl::Status ChooseMethods();
  absl::StatusOr<std::vector<ImageRecord>> Measure(const NamedMethod& method);
  absl::Status WritePredictions() const;
  absl::Status WriteSheet() const;

  const Arguments& args_;
  const std::string& command_name_;
  const Command& command_;
  const EvalConsole console_;

  std::vector<Sample> samples_;
  std::unique_ptr<Source> source_;
  std::vector<NamedMethod> methods_;
  std::unique_ptr<Journal> journal_;               // null without --resume
  std::vector<std::vector<ImageRecord>> records_;  // [methods, samples]
};

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_EVAL_SESSION_H_
