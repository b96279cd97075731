// SPDX-License-Identifier: Apache-2.0
// A table of results: a row a method, every figure with its interval; as text, Markdown or JSON.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_TOOLS_EVAL_TABLE_H_
#define OBJECTDINO_TOOLS_EVAL_TABLE_H_

#include <map>
#include <string>
#include <vector>

#include "core/evaluation/bootstrap.h"

namespace objectdino {

enum class TableFormat { kText, kMarkdown, kJson };

const std::map<std::string, TableFormat>& TableFormats();  // by name

struct Column {
  std::string key;    // in JSON
  std::string title;  // for people
  int digits = 0;     // after the point
};

struct Figure {
  double value = 0;   // NaN: there is none
  Interval interval;  // 95 %
};

struct TableRow {
  std::string method;
  std::vector<int> counts;      // as Table::counts
  std::vector<Figure> figures;  // as Table::figures
};

struct Table {
  std::vector<Column> counts;  // n, and what else was counted
  std::vector<Column> figures;
  std::vector<TableRow> rows;
};

// JSON: a list of rows {"method", <counts>, <figures>, <figure>_ci95: [low, high]}, null for NaN.
std::string FormatTable(const Table& table, TableFormat format);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_EVAL_TABLE_H_
