// Tags, paths, hub URLs and patterns: everything that objects bring along and that becomes a path.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/bento/file_rules.h"
#include "controller/bento/glob.h"
#include "controller/bento/hub_url.h"
#include "controller/bento/model_names.h"

namespace prewarm::controller::bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ModelTag, HasTwoPartsOfBentomlsAlphabet) {
  const auto tag = ParseModelTag("meta-llama--meta_llama.3:k6v2x7");
  ASSERT_TRUE(tag);
  EXPECT_EQ(tag->repository, "meta-llama--meta_llama.3");
  EXPECT_EQ(tag->version, "k6v2x7");
  EXPECT_TRUE(ParseModelTag(std::string(63, 'a') + ":" + std::string(63, 'b')));
}

TEST(ModelTag, RefusesWhatCouldLeaveItsDirectory) {
  for (const auto* text :
       {"",          "name",  "name:", ":v",       "../..:v",     "a:..",     "a:.",  "..:..",
        "a/b:v",     "a:b/c", "a:v:w", "a:/etc",   "A:v",         "a:V",      "-a:v", "a-:v",
        "a:.exists", "a b:v", "a\n:v", "a:latest", "a:v\xc3\xa9", ".shared:v"}) {
    const auto tag = ParseModelTag(text);
    ASSERT_FALSE(tag) << text;
    EXPECT_THAT(tag.error().message, HasSubstr("model tag"));
  }
  EXPECT_FALSE(ParseModelTag(std::string(64, 'a') + ":v"));
  EXPECT_FALSE(ParseModelTag("a:" + std::string(1 << 20, 'b')));
  EXPECT_LT(ParseModelTag("a:" + std::string(1 << 20, 'b')).error().message.size(), 300U);
}

TEST(Path, IsCleanedOrRefused) {
  EXPECT_EQ(*CleanPath("a/b"), "a/b");
  EXPECT_EQ(*CleanPath("/a/b/"), "a/b");
  EXPECT_EQ(*CleanPath("/"), "");
  EXPECT_EQ(*CleanPath(""), "");
  EXPECT_EQ(*CleanPath("a/..b/c..d"), "a/..b/c..d");
  for (const auto* path :
       {"..", "a/..", "../a", "a/../b", "a//b", "//", "a/./b", ".", "a/\x01", "a\nb"}) {
    EXPECT_FALSE(CleanPath(path)) << path;
  }
  EXPECT_FALSE(CleanPath(std::string("a\0b", 3)));
  EXPECT_FALSE(CleanPath(std::string(256, 'a')));
  EXPECT_FALSE(CleanPath(std::string(2000, '/')));
}

TEST(Path, IsWithinItsParentsOnly) {
  EXPECT_TRUE(IsWithin("a/b", "a"));
  EXPECT_TRUE(IsWithin("a", "a"));
  EXPECT_TRUE(IsWithin("a", ""));
  EXPECT_FALSE(IsWithin("ab", "a"));
  EXPECT_FALSE(IsWithin("a", "a/b"));
}

TEST(StorageNamespace, IsOneOrdinaryPart) {
  EXPECT_TRUE(CheckStorageNamespace("org-42"));
  EXPECT_TRUE(CheckStorageNamespace("Org_4.2"));
  for (const auto* name : {"", ".", "..", ".shared", "a/b", "../x", "a b", "-a"}) {
    EXPECT_FALSE(CheckStorageNamespace(name)) << name;
  }
}

TEST(HubUrl, IsReadWithItsLists) {
  const auto url = ParseHubUrl(
      "hf://meta-llama/meta-llama-3-8b-instruct@8afb486c1db24fe5011ec46dfbe5b5dccdb575c2"
      "@https://huggingface.co@*.safetensors&*.json&tokenizer*@original/*");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->model_id, "meta-llama/meta-llama-3-8b-instruct");
  EXPECT_TRUE(url->HasCommit());
  EXPECT_EQ(url->endpoint, "https://huggingface.co");
  EXPECT_THAT(url->files.include, ElementsAre("*.safetensors", "*.json", "tokenizer*"));
  EXPECT_THAT(url->files.exclude, ElementsAre("original/*"));
  EXPECT_EQ(HubFolder(url->model_id), "models--meta-llama--meta-llama-3-8b-instruct");
}

TEST(HubUrl, TakesShorterForms) {
  const auto plain = ParseHubUrl("hf://gpt2@main@https://huggingface.co");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->HasCommit());
  EXPECT_EQ(HubFolder(plain->model_id), "models--gpt2");
  EXPECT_TRUE(plain->files.include.empty());
  const auto excludes = ParseHubUrl("hf://a/b@refs/pr/1@e@@*.bin&");
  ASSERT_TRUE(excludes);
  EXPECT_TRUE(excludes->files.include.empty());
  EXPECT_THAT(excludes->files.exclude, ElementsAre("*.bin"));
}

TEST(HubUrl, RefusesTheRest) {
  for (const auto* url :
       {"", "hf://", "hf://a/b", "hf://a/b@main", "hf://@main@e", "hf://a/b/c@main@e",
        "hf://../b@main@e", "hf://a/..@main@e", "hf:///b@main@e", "hf://a/b@@e",
        "hf://a@m@e@i@x@more", "s3://a/b@main@e", "hf://a@m@e@\x1f*"}) {
    EXPECT_FALSE(ParseHubUrl(url)) << url;
  }
  EXPECT_FALSE(ParseHubUrl("hf://a@m@" + std::string(5000, 'e')));
  std::string many = "hf://a@m@e@";
  for (int i = 0; i < 65; ++i) many += "x&";
  EXPECT_FALSE(ParseHubUrl(many));
}

struct GlobCase {
  const char* pattern;
  const char* text;
  bool matches;
};

// As Python 3.11's fnmatch.fnmatchcase answers.
TEST(Glob, MatchesAsFnmatch) {
  for (const auto& [pattern, text, matches] : std::vector<GlobCase>{
           {"*", "", true},
           {"*", "a/b", true},
           {"*.json", "a/config.json", true},
           {"*.json", "config.json.bak", false},
           {"tokenizer*", "sub/tokenizer.json", false},
           {"original/*", "original/a/b.pth", true},
           {"original/*", "original", false},
           {"?.bin", "a.bin", true},
           {"?.bin", "/.bin", true},
           {"?.bin", ".bin", false},
           {"?", "\xc3\xa9", true},
           {"??", "\xc3\xa9", false},
           {"*?b",
            "\xc3\xa9"
            "b",
            true},
           {"model-[0-9]*.st", "model-1x.st", true},
           {"model-[0-9]*.st", "model-x.st", false},
           {"[!a]b", "ab", false},
           {"[!a]b", "cb", true},
           {"[]]", "]", true},
           {"[!]]", "]", false},
           {"[a-]", "-", true},
           {"[c-a]", "b", false},
           {"[ab", "[ab", true},
           {"[", "[", true},
           {"[]", "[]", true},
           {"a*b*c", "aXbXbXc", true},
           {"a*b*c", "aXbXbX", false},
           {"", "", true},
           {"", "a", false},
           {"A.BIN", "a.bin", false},
           {"a\\b", "a\\b", true},
           {"**/x", "a/b/x", true},
       }) {
    EXPECT_EQ(GlobMatches(pattern, text), matches) << pattern << " of " << text;
  }
}

TEST(Glob, TakesNoLongerThanBothLengthsMultiplied) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  pattern += "b";
  EXPECT_FALSE(GlobMatches(pattern, std::string(20'000, 'a')));
}

TEST(FileFilter, IncludesAllUnlessTold) {
  EXPECT_TRUE(FileFilter{}.Takes("any/thing"));
  const FileFilter filter{.include = {"*.json", "sub/"}, .exclude = {"*secret*"}};
  EXPECT_TRUE(filter.Takes("a.json"));
  EXPECT_TRUE(filter.Takes("sub/a/b.bin"));
  EXPECT_FALSE(filter.Takes("a.bin"));
  EXPECT_FALSE(filter.Takes("sub/secret.json"));
}

TEST(SkipRules, SkipOtherFormatsOnlyBesideSafetensors) {
  const SkipRules rules;
  for (const auto* name : {".locks", ".exists", "0d8c.exists", "sha.incomplete", ".no_exist"}) {
    EXPECT_TRUE(rules.Skips(name, false)) << name;
  }
  for (const auto* name : {"pytorch_model.bin", "consolidated.00.pth", "a.pt", "flax_model.msgpack",
                           "tf_model.h5", "q4.gguf", "original", "onnx"}) {
    EXPECT_FALSE(rules.Skips(name, false)) << name;
    EXPECT_TRUE(rules.Skips(name, true)) << name;
  }
  EXPECT_FALSE(rules.Skips("model.safetensors", true));
  EXPECT_FALSE(rules.Skips("config.json", true));
}

}  // namespace
}  // namespace prewarm::controller::bento
