// The result lines that every suite of this project prints, one per test case: "ok - NAME",
// "not ok - NAME" with the failed assertions indented, "skip - NAME # reason".
#include <ostream>
#include <sstream>

#include <catch2/catch_test_case_info.hpp>
#include <catch2/catch_tostring.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#include <catch2/reporters/catch_reporter_streaming_base.hpp>

namespace railhead::test {
namespace {

class LinesReporter : public Catch::StreamingReporterBase {
 public:
  using StreamingReporterBase::StreamingReporterBase;
  static std::string getDescription() { return "One result line per test case"; }

  void assertionEnded(const Catch::AssertionStats& stats) override {
    const auto& result = stats.assertionResult;
    if (result.getResultType() == Catch::ResultWas::ExplicitSkip) {
      skip_reason_ = result.hasMessage() ? std::string(result.getMessage()) : "no reason given";
      return;
    }
    if (result.isOk()) return;
    details_ << "    " << result.getSourceInfo().file << ':' << result.getSourceInfo().line << ": ";
    if (result.hasExpression()) {
      details_ << result.getExpressionInMacro() << "  with  " << result.getExpandedExpression();
    }
    if (result.hasMessage()) details_ << ' ' << result.getMessage();
    details_ << '\n';
    for (const auto& info : stats.infoMessages) details_ << "      " << info.message << '\n';
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const auto& name = stats.testInfo->name;
    if (!stats.totals.assertions.allOk()) {
      m_stream << "not ok - " << name << '\n' << details_.str();
    } else if (!skip_reason_.empty()) {
      m_stream << "skip - " << name << " # " << skip_reason_ << '\n';
    } else {
      m_stream << "ok - " << name << '\n';
    }
    m_stream.flush();
    details_.str("");
    skip_reason_.clear();
  }

 private:
  std::ostringstream details_;
  std::string skip_reason_;
};

CATCH_REGISTER_REPORTER("lines", LinesReporter)

}  // namespace
}  // namespace railhead::test
