#include "controller/bento/source_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/controller/bento/fixtures.h"

namespace prewarm::controller::bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Candidate ATree(std::string path) {
  return {.layout = Layout::kTree,
          .path = std::move(path),
          .version = {},
          .folder = {},
          .selection = {}};
}

Candidate AnItem(std::string path) {
  auto candidate = ATree(std::move(path));
  candidate.layout = Layout::kItem;
  return candidate;
}

Candidate AHub(const std::string& revision = kCommit) {
  return {.layout = Layout::kHub,
          .path = kHubDirectory,
          .version = "0d8c1f0e1d2c3b4a5968778695a4b3c2",
          .folder = "models--meta-llama--meta-llama-3-8b-instruct",
          .selection = HubSelection{.model_id = "meta-llama/meta-llama-3-8b-instruct",
                                    .revision = revision,
                                    .endpoint = "https://huggingface.co",
                                    .files = {}}};
}

std::string Snapshot(const std::string& file) {
  return std::string(kRepository) + "/snapshots/" + kCommit + "/" + file;
}

TEST(TreeSource, IsNamedAsOneDirectoryIfAllOfItIsWanted) {
  FakeVolume volume;
  volume.File("data/a/x.safetensors", 10).File("data/b/c/y.json", 5);
  const auto answer = volume.Resolve({ATree("data")});
  EXPECT_EQ(answer.completeness, Completeness::kComplete);
  EXPECT_THAT(answer.paths, ElementsAre("data"));
  EXPECT_EQ(answer.bytes, 15U);
  EXPECT_THAT(answer.reason, IsEmpty());
}

TEST(TreeSource, MayBeAFile) {
  FakeVolume volume;
  volume.File("data/a.bin", 10);
  const auto answer = volume.Resolve({ATree("data/a.bin")});
  EXPECT_EQ(answer.completeness, Completeness::kComplete);
  EXPECT_THAT(answer.paths, ElementsAre("data/a.bin"));
  EXPECT_EQ(answer.bytes, 10U);
}

TEST(TreeSource, OfTheWholeVolumeIsNamedBySlash) {
  FakeVolume volume;
  volume.File("a", 1);
  EXPECT_THAT(volume.Resolve({ATree("")}).paths, ElementsAre("/"));
}

TEST(TreeSource, NamesFilesOnlyWhereSomethingIsLeftOut) {
  FakeVolume volume;
  volume.File("m/model.safetensors", 10)
      .File("m/pytorch_model.bin", 10)
      .File("m/original/consolidated.00.pth", 10)
      .File("m/tokenizer/a.json", 1)
      .File("m/tokenizer/deep/b.json", 1)
      .File("m/adapters/adapter_model.bin", 4);
  const auto answer = volume.Resolve({ATree("m")});
  EXPECT_THAT(answer.paths, ElementsAre("m/adapters", "m/model.safetensors", "m/tokenizer"))
      << "a .bin without safetensors beside it is the model";
  EXPECT_EQ(answer.bytes, 16U);
}

TEST(TreeSource, HeedsRulesThatAnOperatorReplaced) {
  FakeVolume volume;
  volume.File("m/model.safetensors", 10).File("m/pytorch_model.bin", 10).File("m/x.md", 1);
  FileRules rules;
  rules.skip.beside_safetensors.clear();
  EXPECT_THAT(volume.Resolve({ATree("m")}, rules).paths, ElementsAre("m"));
  rules.policy.exclude = {"*.md"};
  EXPECT_THAT(volume.Resolve({ATree("m")}, rules).paths,
              ElementsAre("m/model.safetensors", "m/pytorch_model.bin"));
  rules.policy = {.include = {"*.bin"}, .exclude = {}};
  rules.skip = SkipRules();
  EXPECT_THAT(volume.Resolve({ATree("m")}, rules).paths, ElementsAre("m/pytorch_model.bin"))
      << "safetensors that nobody wants make nothing else superfluous";
}

TEST(TreeSource, ThatIsMissingOrEmptyIsAbsentInWords) {
  FakeVolume volume;
  volume.Directory("empty/dir");
  const auto missing = volume.Resolve({ATree("nowhere")});
  EXPECT_EQ(missing.completeness, Completeness::kAbsent);
  EXPECT_THAT(missing.reason, HasSubstr("\"/nowhere\" is not on the volume"));
  const auto empty = volume.Resolve({ATree("empty")});
  EXPECT_EQ(empty.completeness, Completeness::kAbsent);
  EXPECT_THAT(empty.reason, HasSubstr("holds no file"));
  EXPECT_THAT(empty.paths, IsEmpty());
}

TEST(TreeSource, FollowsTheLinksOfASnapshotThatIsNamedByHand) {
  const auto volume = ASeededVolume();
  const auto answer = volume.Resolve({ATree(std::string(kRepository) + "/snapshots/" + kCommit)});
  EXPECT_EQ(answer.completeness, Completeness::kComplete);
  EXPECT_THAT(answer.paths, ElementsAre(Snapshot("README.md"), Snapshot("config.json"),
                                        Snapshot("model-00001-of-00002.safetensors"),
                                        Snapshot("model-00002-of-00002.safetensors")));
  const auto file = volume.Resolve({ATree(Snapshot("config.json"))});
  EXPECT_THAT(file.paths, ElementsAre(Snapshot("config.json")));
}

TEST(Source, NeverFollowsALinkToANeighbour) {
  FakeVolume volume;
  volume.File("models/org-b/secret/v/weights", 9)
      .File("models/org-a/m/v/.exists", 0)
      .File("models/org-a/m/v/good", 1)
      .Link("models/org-a/m/v/stolen", "../../../org-b/secret/v/weights")
      .Link("models/org-a/m/v/rooted", "/models/org-b/secret/v/weights")
      .Link("models/org-a/m/v/out", "../../../../../../../etc/passwd")
      .Link("models/org-a/m/dir", "../../org-b/secret/v");
  const auto answer = volume.Resolve({AnItem("models/org-a/m/v")});
  EXPECT_EQ(answer.completeness, Completeness::kPartial);
  EXPECT_THAT(answer.paths, ElementsAre("models/org-a/m/v/good"));
  EXPECT_THAT(answer.reason, HasSubstr("\"stolen\" is a link out of the model's directory"));
  const auto directory = volume.Resolve({AnItem("models/org-a/m/dir")});
  EXPECT_EQ(directory.completeness, Completeness::kAbsent);
  EXPECT_THAT(directory.paths, IsEmpty());
}

TEST(ItemSource, IsCompleteOnlyWithItsMarker) {
  auto volume = ASeededVolume();
  const std::string item = "models/org-42/reranker/hx7q2d5m6cxa3";
  const auto whole = volume.Resolve({AnItem(item)});
  EXPECT_EQ(whole.completeness, Completeness::kComplete);
  EXPECT_THAT(whole.paths, ElementsAre(item + "/model.yaml", item + "/tokenizer",
                                       item + "/weights/model.safetensors"));
  EXPECT_EQ(whole.bytes, 1300U);
  volume.Remove(item + "/.exists");
  const auto partial = volume.Resolve({AnItem(item)});
  EXPECT_EQ(partial.completeness, Completeness::kPartial);
  EXPECT_THAT(partial.reason, HasSubstr("marker \".exists\" is missing"));
  EXPECT_EQ(partial.paths, whole.paths) << "what is there can be warmed, but not be called whole";
}

TEST(HubSource, GivesTheSnapshotsFilesByName) {
  auto candidate = AHub();
  candidate.selection->files = {.include = {"*.safetensors", "*.json", "tokenizer*"},
                                .exclude = {"original/*"}};
  const auto answer = ASeededVolume().Resolve({candidate});
  EXPECT_EQ(answer.completeness, Completeness::kComplete);
  EXPECT_THAT(answer.paths,
              ElementsAre(Snapshot("config.json"), Snapshot("model-00001-of-00002.safetensors"),
                          Snapshot("model-00002-of-00002.safetensors")));
  EXPECT_EQ(answer.bytes, 9010U);
  EXPECT_THAT(answer.reason, IsEmpty());
}

TEST(HubSource, CountsABlobOnceHoweverManyNamesItHas) {
  auto volume = ASeededVolume();
  volume.Link(Snapshot("copy.safetensors"), "../../blobs/sha-a");
  const auto answer = volume.Resolve({AHub()});
  EXPECT_THAT(answer.paths, testing::Contains(Snapshot("copy.safetensors")));
  EXPECT_EQ(answer.bytes, 9017U);
}

TEST(HubSource, IsPartialWithoutTheMarkerOfItsVersion) {
  auto candidate = AHub();
  candidate.version = "ffffffffffffffffffffffffffffffff";
  const auto answer = ASeededVolume().Resolve({candidate});
  EXPECT_EQ(answer.completeness, Completeness::kPartial);
  EXPECT_THAT(answer.reason, HasSubstr("ffffffff"));
  EXPECT_THAT(answer.paths, SizeIs(4));
  candidate.version = "";
  EXPECT_EQ(ASeededVolume().Resolve({candidate}).completeness, Completeness::kComplete)
      << "any marker will do where no version is known";
}

TEST(HubSource, IsPartialWhileABlobIsMissing) {
  auto volume = ASeededVolume();
  volume.Remove(std::string(kRepository) + "/blobs/sha-b");
  volume.File(std::string(kRepository) + "/blobs/sha-b.incomplete", 17);
  const auto answer = volume.Resolve({AHub()});
  EXPECT_EQ(answer.completeness, Completeness::kPartial);
  EXPECT_THAT(answer.reason, HasSubstr("\"model-00002-of-00002.safetensors\" is not there yet"));
  EXPECT_THAT(answer.paths, testing::Not(testing::Contains(HasSubstr("00002-of-00002"))))
      << "a link to nothing would fail the whole prewarm";
}

TEST(HubSource, WithoutItsSnapshotSaysWhoWillDownload) {
  const auto volume = ASeededVolume();
  const std::string other(40, 'a');
  const auto answer = volume.Resolve({AHub(other)});
  EXPECT_EQ(answer.completeness, Completeness::kAbsent);
  EXPECT_THAT(answer.reason, HasSubstr(other));
  EXPECT_THAT(answer.reason, HasSubstr("the SDK will download the model from the hub when the pod "
                                       "starts"));
  auto renamed = AHub();
  renamed.folder = "models--another--name";
  EXPECT_THAT(volume.Resolve({renamed}).reason, HasSubstr("holds no \"models--another--name\""));
  EXPECT_THAT(FakeVolume().Resolve({AHub()}).reason, HasSubstr("is not on the volume"));
}

TEST(HubSource, OfABranchWarmsEverySnapshot) {
  auto volume = ASeededVolume();
  const std::string newer(40, 'b');
  volume.Blob(kRepository, newer, "config.json", "sha-z", 12);
  const auto answer = volume.Resolve({AHub("main")});
  EXPECT_EQ(answer.completeness, Completeness::kComplete);
  EXPECT_THAT(answer.paths, SizeIs(5));
  EXPECT_EQ(answer.bytes, 9029U);
  EXPECT_THAT(answer.reason, HasSubstr("all 2 snapshots"));
}

TEST(HubSource, LooksIntoFoldersOfEveryCase) {
  auto volume = ASeededVolume();
  const std::string lower =
      std::string(kHubDirectory) + "/models--meta-llama--meta-llama-3-8b-instruct";
  const std::string newer(40, 'c');
  volume.Blob(lower, newer, "config.json", "sha-y", 3);
  EXPECT_THAT(volume.Resolve({AHub(newer)}).paths,
              ElementsAre(lower + "/snapshots/" + newer + "/config.json"));
  EXPECT_THAT(volume.Resolve({AHub()}).paths, SizeIs(4));
}

TEST(HubSource, RefusesNamesThatLeaveItsDirectory) {
  Listing cache{.kind = Listing::Kind::kDirectory,
                .real_path = kHubDirectory,
                .entries = {},
                .bytes = {},
                .truncated = false};
  cache.entries.push_back({.name = "models--meta-llama--meta-llama-3-8b-instruct",
                           .type = DirectoryEntry::Type::kDirectory,
                           .bytes = {},
                           .target = {}});
  SourceResolver resolver({AHub("main")}, {});
  resolver.Answer(cache);
  Listing snapshots{.kind = Listing::Kind::kDirectory,
                    .real_path = *resolver.Next(),
                    .entries = {},
                    .bytes = {},
                    .truncated = false};
  for (const auto* name : {"..", ".", "", "a/b", "x\ny"}) {
    snapshots.entries.push_back(
        {.name = name, .type = DirectoryEntry::Type::kDirectory, .bytes = {}, .target = {}});
  }
  resolver.Answer(snapshots);
  EXPECT_FALSE(resolver.Next());
  EXPECT_EQ(resolver.Outcome().completeness, Completeness::kAbsent);
}

TEST(Source, TakesTheFirstCandidateThatIsWholeElseTheBest) {
  FakeVolume volume;
  volume.File("models/.shared/m/v/a", 1);
  volume.File("models/ns/m/v/.exists", 0).File("models/ns/m/v/a", 1);
  const std::vector<Candidate> both{AnItem("models/.shared/m/v"), AnItem("models/ns/m/v")};
  EXPECT_EQ(volume.Resolve(both).directory, "models/ns/m/v");
  volume.Remove("models/ns/m/v/.exists");
  const auto first = volume.Resolve(both);
  EXPECT_EQ(first.directory, "models/.shared/m/v") << "equally partial: the likelier place";
  EXPECT_EQ(first.completeness, Completeness::kPartial);
  const auto second = volume.Resolve({AnItem("models/none/m/v"), AnItem("models/ns/m/v")});
  EXPECT_EQ(second.directory, "models/ns/m/v");
  EXPECT_EQ(volume.Resolve({AnItem("models/none/m/v"), AnItem("x")}).completeness,
            Completeness::kAbsent);
}

TEST(Source, NamesTheDirectoriesIfTheFilesAreTooMany) {
  FakeVolume volume;
  volume.File("models/x/m/v/.exists", 0);
  for (int i = 0; i < 1500; ++i) volume.File("models/x/m/v/part-" + std::to_string(i), 2);
  const auto item = volume.Resolve({AnItem("models/x/m/v")});
  EXPECT_THAT(item.paths, ElementsAre("models/x/m/v"));
  EXPECT_EQ(item.bytes, 3000U);
  auto hub = ASeededVolume();
  for (int i = 0; i < 1500; ++i) {
    hub.Blob(kRepository, kCommit, "part-" + std::to_string(i), "e" + std::to_string(i), 2);
  }
  const auto answer = hub.Resolve({AHub()});
  EXPECT_THAT(answer.paths, ElementsAre(std::string(kRepository) + "/blobs",
                                        std::string(kRepository) + "/snapshots/" + kCommit));
}

TEST(Source, AsksForABoundedNumberOfDirectories) {
  FakeVolume volume;
  for (int i = 0; i < 2000; ++i) volume.File("wide/" + std::to_string(i) + "/a", 1);
  std::string deep = "deep";
  for (int i = 0; i < 300; ++i) volume.File((deep += "/d") + "/a", 1);
  const auto wide = volume.Resolve({ATree("wide")});
  EXPECT_EQ(wide.completeness, Completeness::kPartial);
  EXPECT_THAT(wide.paths, ElementsAre("wide"));
  EXPECT_THAT(wide.reason, HasSubstr("more directories than are looked at"));
  EXPECT_THAT(volume.Resolve({ATree("deep")}).paths, ElementsAre("deep"));
}

TEST(Source, DoesNotDependOnTheOrderOfListings) {
  const auto volume = ASeededVolume();
  std::mt19937 random(7);
  const auto expected = volume.Resolve({AHub("main")});
  for (int i = 0; i < 50; ++i) {
    SourceResolver resolver({AHub("main")}, {});
    while (const auto path = resolver.Next()) {
      auto listing = volume.List(*path);
      std::ranges::shuffle(listing.entries, random);
      resolver.Answer(listing);
    }
    EXPECT_EQ(resolver.Outcome(), expected);
  }
}

}  // namespace
}  // namespace prewarm::controller::bento
