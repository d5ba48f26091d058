#include "common/juicefs/attribute.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/common/juicefs/bytes.h"

namespace prewarm::juicefs {
namespace {

const std::string kRecord = FromHex(
    "0011a4000003e8000003e9000000006553f10000000001000000006553f10100000002000000006553f102000000"
    "03000000010000000011e1a30000000000000000000000000100");

Attribute Expected() {
  Attribute attribute;
  attribute.mode = 0644;
  attribute.uid = 1000;
  attribute.gid = 1001;
  attribute.nlink = 1;
  attribute.length = 300'000'000;
  attribute.parent = Inode(1);
  return attribute;
}

TEST(Attribute, ReadsTheUsualRecord) {
  ASSERT_EQ(kRecord.size(), 72U);
  const auto attribute = ParseAttribute(kRecord);
  ASSERT_TRUE(attribute);
  EXPECT_EQ(*attribute, Expected());
}

TEST(Attribute, ReadsTheRecordOfAnOldVersionWithoutParent) {
  Attribute expected = Expected();
  expected.parent = Inode(0);
  const auto attribute = ParseAttribute(std::string_view(kRecord).substr(0, 63));
  ASSERT_TRUE(attribute);
  EXPECT_EQ(*attribute, expected);
}

TEST(Attribute, TakesTheByteAfterTheParentForTheTier) {
  Attribute expected = Expected();
  expected.tier = 2;
  const auto attribute = ParseAttribute(kRecord.substr(0, 71) + '\x02' + '\0');  // 73 bytes
  ASSERT_TRUE(attribute);
  EXPECT_EQ(*attribute, expected);
}

TEST(Attribute, SkipsAclIdsBeforeTheTier) {
  const std::string with_acl = kRecord.substr(0, 71) + FromHex("0000000700000009");
  auto attribute = ParseAttribute(with_acl + '\0');  // 80 bytes
  ASSERT_TRUE(attribute);
  EXPECT_EQ(*attribute, Expected());

  Attribute expected = Expected();
  expected.tier = 3;
  attribute = ParseAttribute(with_acl + '\x03' + '\0');  // 81 bytes
  ASSERT_TRUE(attribute);
  EXPECT_EQ(*attribute, expected);
}

TEST(Attribute, KnowsEveryTypeAndNoOther) {
  for (unsigned type = 0; type < 16; ++type) {
    std::string record = kRecord;
    record[1] = static_cast<char>(type << 4 | 0x0f);
    const auto attribute = ParseAttribute(record);
    if (type >= 1 && type <= 7) {
      ASSERT_TRUE(attribute) << type;
      EXPECT_EQ(attribute->type, static_cast<FileType>(type));
      EXPECT_EQ(attribute->mode, 0xfa4);
      EXPECT_NE(FileTypeName(attribute->type), "unknown");
    } else {
      ASSERT_FALSE(attribute) << type;
      EXPECT_EQ(attribute.error().code, ErrorCode::kCorrupt);
    }
  }
}

TEST(Attribute, RefusesEveryShorterRecord) {
  for (std::size_t length = 0; length < 63; ++length) {
    const auto attribute = ParseAttribute(std::string_view(kRecord).substr(0, length));
    ASSERT_FALSE(attribute) << length;
    EXPECT_EQ(attribute.error().code, ErrorCode::kCorrupt);
  }
}

TEST(DirectoryEntry, ReadsTypeAndInode) {
  const auto entry = ParseDirectoryEntry(FromHex("02000000000000002a"));
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, (DirectoryEntry{FileType::kDirectory, Inode(42)}));
}

TEST(DirectoryEntry, RefusesOtherLengthsAndUnknownTypes) {
  for (const char* hex : {"", "02", "0200000000000000", "02000000000000002a00",
                          "00000000000000002a", "08000000000000002a", "ff000000000000002a"}) {
    const auto entry = ParseDirectoryEntry(FromHex(hex));
    ASSERT_FALSE(entry) << hex;
    EXPECT_EQ(entry.error().code, ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace prewarm::juicefs
