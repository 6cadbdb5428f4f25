// Reads trace files, plain or compressed by gzip.
#pragma once

#include <string>

struct gzFile_s;

namespace penstock::traces {

// The lines of one file, first to last. Throws BadInput where it cannot be read.
class TraceFile {
 public:
  explicit TraceFile(const std::string& path);
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  ~TraceFile();

  // The next line that is not empty, without its line feed. False: there is none.
  bool next(std::string& line);

  // "path:number" of the last line, for messages.
  std::string position() const;

 private:
  bool readLine(std::string& line);

  std::string path_;
  gzFile_s* file_;
  std::size_t lineNumber_ = 0;
};

}  // namespace penstock::traces
