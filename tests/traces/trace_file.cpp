#include <penstock/tests/traces/trace_file.h>

#include <penstock/tests/traces/trace.h>

#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace penstock::traces {

TraceFile::TraceFile(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
  if (!file_) throw BadInput(path + ": " + std::strerror(errno));
}

TraceFile::~TraceFile() { gzclose(file_); }

bool TraceFile::next(std::string& line) {
  do {
    if (!readLine(line)) return false;
  } while (line.empty());
  return true;
}

bool TraceFile::readLine(std::string& line) {
  line.clear();
  ++lineNumber_;
  std::array<char, 16384> piece;
  while (gzgets(file_, piece.data(), piece.size())) {
    line += piece.data();
    if (!line.empty() && line.back() == '\n') {
      line.pop_back();
      return true;
    }
  }
  int error = Z_OK;
  std::string text = gzerror(file_, &error);
  if (error == Z_ERRNO) text = std::strerror(errno);
  if (text.starts_with(path_ + ": ")) text.erase(0, path_.size() + 2);
  if (error != Z_OK && error != Z_STREAM_END) throw BadInput(position() + ": " + text);
  return !line.empty();
}

std::string TraceFile::position() const { return path_ + ":" + std::to_string(lineNumber_); }

}  // namespace penstock::traces
