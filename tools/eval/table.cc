// SPDX-License-Identifier: Apache-2.0
#include "tools/eval/table.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace objectdino {
namespace {

using nlohmann::ordered_json;

ordered_json Number(double value) {
  return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value);
}

std::string JsonOf(const Table& table) {
  ordered_json document = ordered_json::array();
  for (const TableRow& row : table.rows) {
    ordered_json& entry = document.emplace_back(ordered_json{{"method", row.method}});
    for (size_t i = 0; i < row.counts.size(); ++i) entry[table.counts[i].key] = row.counts[i];
    for (size_t i = 0; i < row.figures.size(); ++i) {
      const auto& [value, interval] = row.figures[i];
      entry[table.figures[i].key] = Number(value);
      entry[table.figures[i].key + "_ci95"] = {Number(interval.low), Number(interval.high)};
    }
  }
  return document.dump(2) + "\n";
}

std::string Cell(const Figure& figure, int digits) {
  if (std::isnan(figure.value)) return "-";
  return absl::StrFormat("%.*f [%.*f, %.*f]", digits, figure.value, digits, figure.interval.low,
                         digits, figure.interval.high);
}

// The first line holds the titles.
std::vector<std::vector<std::string>> Cells(const Table& table) {
  std::vector<std::vector<std::string>> lines = {{"method"}};
  for (const Column& column : table.counts) lines[0].push_back(column.title);
  for (const Column& column : table.figures) lines[0].push_back(column.title);
  for (const TableRow& row : table.rows) {
    std::vector<std::string>& line = lines.emplace_back();
    line.push_back(row.method);
    for (const int count : row.counts) line.push_back(absl::StrCat(count));
    for (size_t i = 0; i < row.figures.size(); ++i) {
      line.push_back(Cell(row.figures[i], table.figures[i].digits));
    }
  }
  return lines;
}

std::string MarkdownOf(const Table& table) {
  std::string text;
  bool is_first = true;
  for (const auto& line : Cells(table)) {
    absl::StrAppend(&text, "| ", absl::StrJoin(line, " | "), " |\n");
    if (!is_first) continue;
    is_first = false;
    absl::StrAppend(&text, "|---|");
    for (size_t i = 1; i < line.size(); ++i) absl::StrAppend(&text, "---:|");
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string TextOf(const Table& table) {
  const auto lines = Cells(table);
  std::vector<size_t> widths(lines[0].size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - line[i].size(), ' ');
      absl::StrAppend(&text, i == 0 ? "" : "  ", i == 0 ? "" : padding, line[i],
                      i == 0 ? padding : "");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace

const std::map<std::string, TableFormat>& TableFormats() {
  static const auto& formats =
      *new std::map<std::string, TableFormat>{{"text", TableFormat::kText},
                                              {"markdown", TableFormat::kMarkdown},
                                              {"json", TableFormat::kJson}};
  return formats;
}

std::string FormatTable(const Table& table, TableFormat format) {
  switch (format) {
    case TableFormat::kText:
      return TextOf(table);
    case TableFormat::kMarkdown:
      return MarkdownOf(table);
    case TableFormat::kJson:
      return JsonOf(table);
  }
  return "";
}

}  // namespace objectdino
