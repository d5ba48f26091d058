#include "controller/reconcile/volume_table.h"

#include <gtest/gtest.h>

namespace prewarm::controller {
namespace {

VolumeConfig At(const std::string& meta) {
  VolumeConfig config;
  config.meta = meta;
  return config;
}

TEST(VolumeTable, HoldsWhatTheFileAndTheObjectsSayAndTheFileWins) {
  const SystemClock clock;
  VolumeTable table(clock);
  table.SetConfigured({{"a", At("redis://file/1")}});
  table.SetFromObjects({{"a", At("redis://object/1")}, {"b", At("redis://object/2")}});
  ASSERT_EQ(table.map().size(), 2);
  EXPECT_EQ(table.map().at("a")->config().meta, "redis://file/1");
  EXPECT_TRUE(table.IsConfigured("a"));
  EXPECT_FALSE(table.IsConfigured("b"));
  table.SetConfigured({});
  EXPECT_EQ(table.map().at("a")->config().meta, "redis://object/1");
}

TEST(VolumeTable, OpensAnewWhatChangedAndLeavesTheOthers) {
  const SystemClock clock;
  VolumeTable table(clock);
  table.SetFromObjects({{"a", At("redis://x/1")}, {"b", At("redis://x/2")}});
  const auto a = table.map().at("a");
  const auto b = table.map().at("b");
  auto rotated = At("");
  rotated.meta_url = Secret("redis://:new@x/1");
  table.SetFromObjects({{"a", rotated}, {"b", At("redis://x/2")}});
  EXPECT_NE(table.map().at("a"), a);
  EXPECT_EQ(table.map().at("b"), b);
  table.SetFromObjects({{"b", At("redis://x/2")}});
  EXPECT_FALSE(table.map().contains("a"));
  EXPECT_EQ(table.map().at("b"), b);
}

TEST(Volume, SaysWhyItCannotBeUsedAndNothingOfItsSecret) {
  const SystemClock clock;
  VolumeConfig unusable;
  unusable.unusable = "key metaurl of Secret x/y cannot be read";
  EXPECT_EQ(Volume("a", unusable, clock).Url().error().message, unusable.unusable);
  VolumeConfig wrong;
  wrong.meta_url = Secret("redis://:hunter2/hunter3@host:port?hunter4");
  const auto url = Volume("a", wrong, clock).Url();
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().message.find("hunter"), std::string::npos) << url.error().message;
  EXPECT_EQ(url.error().code, ErrorCode::kInvalidConfig);
}

}  // namespace
}  // namespace prewarm::controller
