#include "controller/kube/discovery.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include "tests/rig/run_task.h"
#include "tests/unit/controller/kube/scripted_api.h"

namespace prewarm::controller::kube {
namespace {

const Resource kBentos{"resources.yatai.ai", "v1alpha1", "bentoes"};
const Resource kRequests{"resources.yatai.ai", "v1alpha1", "bentorequests"};

class DiscoveryTest : public testing::Test {
 protected:
  Result<bool> Served(const Resource& resource) {
    return rig::RunTask(loop_, discovery_.Served(resource));
  }
  void AnswerWith(unsigned status, const std::string& body) {
    api_.on_send = [=](const KubeRequest&) -> Result<KubeAnswer> {
      return KubeAnswer{.status = status, .body = boost::json::parse(body)};
    };
  }
  boost::asio::io_context loop_;
  SystemClock clock_;
  ScriptedApi api_;
  Discovery discovery_{api_, clock_};
};

TEST_F(DiscoveryTest, AsksOnceForAllResourcesOfAGroup) {
  AnswerWith(200, R"({"resources":[{"name":"bentoes"},{"name":"bentoes/status"},7,{}]})");
  EXPECT_TRUE(*Served(kBentos));
  EXPECT_FALSE(*Served(kRequests));
  ASSERT_EQ(api_.sent.size(), 1U);
  EXPECT_EQ(api_.sent[0].path, "/apis/resources.yatai.ai/v1alpha1");
  discovery_.Forget();
  EXPECT_TRUE(*Served(kBentos));
  EXPECT_EQ(api_.sent.size(), 2U);
}

TEST_F(DiscoveryTest, KnowsThatAGroupIsNotThere) {
  AnswerWith(404, "null");
  EXPECT_FALSE(*Served(kBentos));
}

TEST_F(DiscoveryTest, DoesNotTakeATroubleForAnAnswer) {
  AnswerWith(503, "null");
  EXPECT_EQ(Served(kBentos).error().code, ErrorCode::kUnavailable);
  AnswerWith(200, "[]");
  EXPECT_EQ(Served(kBentos).error().code, ErrorCode::kCorrupt);
  AnswerWith(200, R"({"resources":[{"name":"bentoes"}]})");
  EXPECT_TRUE(*Served(kBentos)) << "a trouble was remembered";
}

}  // namespace
}  // namespace prewarm::controller::kube
