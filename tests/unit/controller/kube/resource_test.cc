#include "controller/kube/resource.h"

#include <gtest/gtest.h>

namespace prewarm::controller::kube {
namespace {

const Resource kPods{"", "v1", "pods"};
const Resource kBentos{"resources.yatai.ai", "v1alpha1", "bentoes"};

TEST(Resource, HasPathsAsTheApiServerServesThem) {
  EXPECT_EQ(*CollectionPath(kPods, ""), "/api/v1/pods");
  EXPECT_EQ(*CollectionPath(kPods, "a"), "/api/v1/namespaces/a/pods");
  EXPECT_EQ(*CollectionPath(kBentos, ""), "/apis/resources.yatai.ai/v1alpha1/bentoes");
  EXPECT_EQ(*ObjectPath(kBentos, {"a", "b"}, "status"),
            "/apis/resources.yatai.ai/v1alpha1/namespaces/a/bentoes/b/status");
  EXPECT_EQ(*ObjectPath({"", "v1", "nodes"}, {"", "n1"}), "/api/v1/nodes/n1");
  EXPECT_EQ(*GroupVersionPath(kBentos), "/apis/resources.yatai.ai/v1alpha1");
}

TEST(Resource, EncodesWhatAPathCannotHold) {
  EXPECT_EQ(*ObjectPath(kPods, {"a", "x:y ?#&=ä+"}),
            "/api/v1/namespaces/a/pods/x%3Ay%20%3F%23%26%3D%C3%A4%2B");
}

TEST(Resource, RefusesNamesThatWouldLeadElsewhere) {
  using namespace std::string_literals;  // NOLINT(google-build-using-namespace)
  for (const auto& name : {""s, "."s, ".."s, "a/b"s, "../../nodes"s, "a%2Fb"s, "a\nb"s, "a\0b"s,
                           "\x7F"s, std::string(254, 'a')}) {
    const auto path = ObjectPath(kPods, {"ns", name});
    ASSERT_FALSE(path) << name;
    EXPECT_EQ(path.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(name.empty() ? ObjectPath(kPods, {"ns", name}) : CollectionPath(kPods, name));
    EXPECT_FALSE(ObjectPath({"g", name, "things"}, {"ns", "a"}));
    EXPECT_FALSE(ObjectPath({"g", "v1", name}, {"ns", "a"}));
  }
  EXPECT_TRUE(ObjectPath(kPods, {"ns", std::string(253, 'a')}));
}

TEST(Resource, EncodesParameters) {
  EXPECT_EQ(EncodeQuery({}), "");
  EXPECT_EQ(EncodeQuery({{"labelSelector", "a in (b,c),d=e"}, {"limit", "5"}}),
            "?labelSelector=a%20in%20%28b%2Cc%29%2Cd%3De&limit=5");
}

}  // namespace
}  // namespace prewarm::controller::kube
