#include <penstock/bench/compare/report/chart.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/gallery.h>
#include <penstock/bench/compare/report/html.h>
#include <penstock/bench/compare/report/style.h>
#include <penstock/bench/compare/report/svg.h>
#include <penstock/bench/compare/run/sentences.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace penstock::compare {
namespace {

using nlohmann::json;

std::string element(const std::string& name, const std::string& content,
                    const std::string& classes = {}) {
  const std::string attribute = classes.empty() ? "" : " class=\"" + classes + '"';
  return '<' + name + attribute + '>' + content + "</" + name + ">\n";
}

std::string textOf(const json& environment, const json::json_pointer& place) {
  if (!environment.contains(place)) return {};
  const json& value = environment.at(place);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string heading(const Plan& plan, const json& environment) {
  const auto at = [&environment](const char* place) {
    return textOf(environment, json::json_pointer(place));
  };
  const std::string machine = at("/cpu/model") + ", " + at("/cpu/cores_online") + " cores, Linux " +
                              at("/kernel/release") + ", " + at("/build/compiler");
  const std::string run = "Penstock " + at("/build/penstock") + ", profile " + plan.profile + ", " +
                          std::to_string(plan.rounds) + " rounds of slices of " +
                          figure(plan.seconds) + " s, seed " + std::to_string(plan.seed) + ", " +
                          at("/taken_at");
  return element("h1", "io_uring against epoll, measured here") +
         element("p", escaped(machine), "soft") + element("p", escaped(run), "soft");
}

std::string markText(const Mark& mark) {
  const std::string grade(nameOf(mark.grade));
  return element("span", element("span", grade, "tag") + ' ' + escaped(mark.reason),
                 "mark " + grade);
}

// How many series have which grade, so that nobody has to look for it.
std::string validity(const Summary& summary) {
  std::size_t good = 0, doubtful = 0, invalid = 0;
  for (const CellSummary& cell : summary.cells) {
    for (const SeriesSummary& series : cell.series) {
      if (!series.served) continue;
      const Grade grade = std::max(series.grade(), worst(cell.marks));
      good += grade == Grade::kOk;
      doubtful += grade == Grade::kWarn;
      invalid += grade == Grade::kInvalid;
    }
  }
  return "Results without a remark: " + std::to_string(good) +
         ", with a warning: " + std::to_string(doubtful) + ", invalid: " + std::to_string(invalid) +
         ".";
}

std::string marksOf(const Summary& summary, Grade grade) {
  std::string marks;
  for (const Mark& mark : summary.marks) {
    if (mark.grade == grade) marks += markText(mark);
  }
  return marks;
}

// What makes it worthless comes before what it says, what makes it doubtful right after.
std::string verdict(const Summary& summary) {
  std::string items;
  for (const std::string& sentence : summary.sentences) items += element("li", escaped(sentence));
  std::string notes;
  for (const std::string& note : summary.notes) notes += element("p", escaped(note), "caption");
  return element("section",
                 marksOf(summary, Grade::kInvalid) + element("ul", items) +
                     marksOf(summary, Grade::kWarn) + notes +
                     element("p", escaped(validity(summary)), "caption") +
                     element("p", escaped("Engines: " + enginesText(summary)), "caption"),
                 "verdict");
}

std::string legendOf(const Picture& picture) {
  if (picture.legend.empty()) return {};
  std::string entries;
  for (const std::string& engine : picture.legend) {
    entries += element("span", "<i></i>" + escaped(engine), colourClass(engine));
  }
  return element("div", entries, "legend");
}

std::string cards(const std::vector<Picture>& pictures) {
  std::string all;
  for (const Picture& picture : pictures) {
    const std::string caption =
        picture.caption.empty() ? "" : element("p", escaped(picture.caption), "caption");
    all += element(
        "div",
        element("h3", escaped(picture.title)) + caption + legendOf(picture) + picture.drawing,
        "card");
  }
  return element("div", all, "grid");
}

std::string workloadSections(const Summary& summary) {
  std::string all;
  for (const Workload& workload : workloads()) {
    const auto pictures = picturesOf(summary, workload.name);
    if (pictures.empty()) continue;
    all += element("h2", escaped(workload.name)) + element("p", escaped(workload.purpose), "soft") +
           cards(pictures);
  }
  return all;
}

std::string groupsTable(const Summary& summary) {
  if (summary.groups.empty()) return {};
  std::string rows;
  for (const auto& row : groupRows(summary)) {
    std::string fields;
    for (const std::string& field : row)
      fields += element(rows.empty() ? "th" : "td", escaped(field));
    rows += element("tr", fields);
  }
  return element("h2", "Groups beside " + escaped(summary.reference)) +
         element("p",
                 "Geometric means of " + escaped(summary.reference) +
                     " / engine, of CPU for the same work, of p50 latency or of memory: above "
                     "1 is better.",
                 "soft") +
         element("div", element("table", rows), "scroll card");
}

std::string seriesRow(const SeriesSummary& series, const CellSummary& cell, const Summary& summary,
                      const std::vector<std::string>& metrics) {
  std::string fields = element("td", escaped(series.label()));
  const Comparison* against = comparisonShown(series, cell, summary.reference);
  fields += element(
      "td", against == nullptr ? "" : escaped(ratioText(*against) + ", " + wordsOf(*against)));
  for (const std::string& metric : metrics) fields += element("td", medianOf(series, metric));
  const std::string grade = status(series, cell);
  fields += element("td", grade, grade);
  fields += element("td", escaped(text(series.marks)), "reason");
  return element("tr", fields);
}

std::string foldedTable(const Summary& summary) {
  const auto metrics = metricsShown(summary);
  std::string head = element("th", "engine") + element("th", "vs " + escaped(summary.reference));
  for (const std::string& metric : metrics) head += element("th", escaped(columnTitle(metric)));
  std::string rows = element("tr", head + element("th", "") + element("th", "remarks"));
  for (const CellSummary& cell : summary.cells) {
    std::string title = cell.cell.workload + ": " + cell.description;
    if (!cell.marks.empty()) title += " (" + text(cell.marks) + ')';
    rows += "<tr class=\"cell\"><td colspan=\"" + std::to_string(metrics.size() + 4) + "\"><span>" +
            escaped(title) + "</span></td></tr>\n";
    for (const SeriesSummary& series : cell.series) {
      rows += seriesRow(series, cell, summary, metrics);
    }
  }
  return "<details><summary>All figures</summary>" +
         element("div", element("table", rows), "scroll card") + "</details>\n";
}

std::string method() {
  return element("h2", "How to read this") +
         element(
             "p",
             "Servers and load generator are processes on two cores, over TCP on loopback. All "
             "engines are alive at once and take turns in slices, in an order drawn anew for each "
             "round; a slice begins and ends drained. A ratio is the median over the rounds of the "
             "ratio within each, with its 95 % interval, so that a machine that changes its speed "
             "does so to both sides. CPU is that of all threads of the server, the kernel's "
             "workers "
             "for io_uring and ksoftirqd too. Less or more is said where the whole interval lies "
             "beyond 1 by more than 1 %, than its own width, and than two servers of one engine "
             "(the A/A pair) differ by. Loopback has no network card: it says what the software "
             "costs, not what a network does.");
}

}  // namespace

std::string htmlReport(const Summary& summary, const Plan& plan, const json& environment) {
  const std::string head =
      "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,"
      "initial-scale=1\"><title>io_uring against epoll</title><style>" +
      std::string(kStyle) + "</style>";
  const std::string body =
      heading(plan, environment) + cards(overview(summary)) + verdict(summary) +
      workloadSections(summary) + groupsTable(summary) + foldedTable(summary) + method() +
      "<details><summary>Machine, kernel and build</summary>" +
      element("pre", escaped(environment.dump(2, ' ', false, json::error_handler_t::replace))) +
      "</details>\n";
  return "<!doctype html>\n<html lang=\"en\"><head>" + head + "</head><body>" +
         element("main", body) + "</body></html>\n";
}

}  // namespace penstock::compare
