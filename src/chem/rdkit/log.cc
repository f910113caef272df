#include "molsieve/src/chem/rdkit/log.h"

#include <RDGeneral/RDLog.h>

#include <cstdint>
#include <ostream>
#include <streambuf>

#include "molsieve/src/chem/bridge.rs.h"

namespace molsieve {

namespace {

constexpr std::size_t LINE_BYTES_MAX = 512;
constexpr std::size_t ERRORS_BYTES_MAX = 1024;
constexpr std::size_t LEVELS = 4;

thread_local std::string lines[LEVELS];
thread_local std::string errors;

// Passes on complete lines. Each thread has its own incomplete line, so that lines of threads never mix.
class LineBuffer : public std::streambuf {
 public:
  explicit LineBuffer(LogLevel level) : level_(level) {}

 protected:
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) {
      put(traits_type::to_char_type(c));
    }
    return traits_type::not_eof(c);
  }

  std::streamsize xsputn(const char *text, std::streamsize count) override {
    for (std::streamsize i = 0; i < count; ++i) {
      put(text[i]);
    }
    return count;
  }

 private:
  void put(char c) {
    auto &line = lines[static_cast<std::size_t>(level_)];
    if (c != '\n') {
      if (line.size() < LINE_BYTES_MAX) {
        line.push_back(c);
      }
      return;
    }
    // RDKit begins its lines with "[12:34:56] ".
    const bool stamped = line.size() >= 11 && line[0] == '[' && line[9] == ']';
    const auto text = line.substr(stamped ? 11 : 0);
    line.clear();
    if (text.empty()) {
      return;
    }
    if (level_ == LogLevel::Error && errors.size() + text.size() < ERRORS_BYTES_MAX) {
      errors += text;
      errors += '\n';
    }
    log_line(level_, {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
  }

  LogLevel level_;
};

// Never destroyed: RDKit may log while the process ends.
std::ostream *line_stream(LogLevel level) { return new std::ostream(new LineBuffer(level)); }

}  // namespace

void capture_rdkit_log() {
  RDLog::InitLogs();
  rdDebugLog = std::make_shared<boost::logging::rdLogger>(line_stream(LogLevel::Debug));
  rdInfoLog = std::make_shared<boost::logging::rdLogger>(line_stream(LogLevel::Info));
  rdWarningLog = std::make_shared<boost::logging::rdLogger>(line_stream(LogLevel::Warning));
  rdErrorLog = std::make_shared<boost::logging::rdLogger>(line_stream(LogLevel::Error));
  rdDebugLog->df_enabled = false;
  rdInfoLog->df_enabled = false;
}

std::string take_logged_errors() {
  std::string taken;
  taken.swap(errors);
  return taken;
}

}  // namespace molsieve
