// Objects and volumes whose authors mean harm: whatever they hold, reading them ends soon, and
// every path that comes out is one that may be warmed.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/unit/controller/bento/fixtures.h"

namespace prewarm::controller::bento {
namespace {

constexpr int kMutations = 10'000;
// Generous: a slow machine under sanitizers; what is not bounded takes minutes.
constexpr std::chrono::seconds kLongest{10};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  void Mutate(json::value& root) {
    for (auto changes = 1 + Below(4); changes > 0; --changes) MutateOne(root, 0);
  }
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  std::string Name() {
    static const std::vector<std::string> kNames = {"..",
                                                    "../..",
                                                    "a/b",
                                                    "/",
                                                    "",
                                                    ".",
                                                    "models",
                                                    "victim",
                                                    "../victim/secret",
                                                    "models:/",
                                                    "models:../x",
                                                    "models:models/victim/m/v",
                                                    "a:..",
                                                    "x\n",
                                                    std::string("\0", 1),
                                                    "\xff\xfe",
                                                    "\xf0\x9f\x90\x99",
                                                    "latest",
                                                    "m:latest",
                                                    "hf://a/../b@main@e",
                                                    "hf://@@@@@@",
                                                    "hf://a@b@c@[!@[",
                                                    "true",
                                                    "16Gi",
                                                    "-1",
                                                    "99999999999999999999",
                                                    "juicefs-sc:",
                                                    "subdir=../..",
                                                    "${.PVC.annotations.path}",
                                                    "${",
                                                    "csi.juicefs.com",
                                                    "pvc://../x",
                                                    "pvc://"};
    const auto pick = Below(kNames.size() + 3);
    if (pick < kNames.size()) return kNames[pick];
    return std::string(Below(3) == 0 ? 20'000 : 300, pick % 2 == 0 ? 'a' : '*');
  }

 private:
  json::value Value() {
    switch (Below(9)) {
      case 0: return nullptr;
      case 1: return true;
      case 2: return static_cast<std::int64_t>(random_());
      case 3: return 1e300;
      case 4: return json::array(2000, json::value("x"));
      case 5: return json::object{{Name(), json::string(Name())}};
      case 6: {
        json::value deep = json::string(Name());
        for (int i = 0; i < 100; ++i) deep = json::array{std::move(deep)};
        return deep;
      }
      default: return json::string(Name());
    }
  }

  void MutateOne(json::value& value, int depth) {
    const bool inside = depth < 12 && Below(5) != 0;
    if (auto* object = value.if_object(); object != nullptr && !object->empty() && inside) {
      auto& member = *(object->begin() + static_cast<std::ptrdiff_t>(Below(object->size())));
      if (Below(12) == 0) {
        const std::string key(member.key());
        auto moved = std::move(member.value());
        object->erase(key);
        if (Below(2) == 0) (*object)[Name()] = std::move(moved);
        return;
      }
      return MutateOne(member.value(), depth + 1);
    }
    if (auto* list = value.if_array(); list != nullptr && !list->empty() && inside) {
      // Once: copies of copies would be larger than what an API server stores.
      if (!grown_ && Below(12) == 0) {
        grown_ = true;
        const json::value copy = list->front();
        for (int i = 0; i < 300; ++i) list->push_back(copy);
        return;
      }
      return MutateOne((*list)[Below(list->size())], depth + 1);
    }
    value = Value();
  }

  std::mt19937_64 random_;
  bool grown_ = false;
};

json::object Mutated(Mutator& mutator, const json::object& object) {
  json::value value = object;
  if (mutator.Below(4) != 0) mutator.Mutate(value);
  return value.is_object() ? value.get_object() : json::object();
}

// Everything below models/, with names that lead elsewhere.
class HostileVolume {
 public:
  explicit HostileVolume(Mutator& mutator) : mutator_(mutator) {}

  Listing List(const std::string& path) {
    Listing listing;
    listing.kind = static_cast<Listing::Kind>(mutator_.Below(6) == 0 ? mutator_.Below(3) : 2);
    listing.real_path = mutator_.Below(8) == 0 ? mutator_.Name() : path;
    for (auto count = mutator_.Below(6); count > 0; --count) listing.entries.push_back(Entry());
    return listing;
  }

 private:
  DirectoryEntry Entry() {
    static const std::vector<std::string> kOrdinary = {
        ".exists",
        "a.safetensors",
        "b.bin",
        "snapshots",
        "blobs",
        kCommit,
        "sub",
        "models--meta-llama--Meta-Llama-3-8B-Instruct",
        "0d8c1f0e1d2c3b4a5968778695a4b3c2.exists"};
    DirectoryEntry entry;
    entry.name =
        mutator_.Below(3) == 0 ? mutator_.Name() : kOrdinary[mutator_.Below(kOrdinary.size())];
    entry.type = static_cast<DirectoryEntry::Type>(mutator_.Below(4));
    entry.target = mutator_.Below(2) == 0 ? "../../blobs/x" : "../" + mutator_.Name();
    return entry;
  }

  Mutator& mutator_;
};

void ExpectSafe(const std::string& path) {
  const auto clean = CleanPath(path);
  ASSERT_TRUE(clean) << path;
  EXPECT_FALSE(IsWithin(*clean, "models/victim")) << path;
}

void ExpectBounded(const Sources& sources) {
  EXPECT_LE(sources.models.size(), 2000U);
  EXPECT_LE(sources.unresolved.size(), 2000U);
  for (const auto& each : sources.unresolved) {
    EXPECT_LT(each.reason.size(), 2000U) << each.reason;
    EXPECT_LT(each.tag.size(), 600U) << each.tag;
  }
}

void Look(const Sources& sources, HostileVolume& volume) {
  for (const auto& source : sources.models) {
    for (const auto& candidate : source.candidates) ExpectSafe(candidate.path);
    SourceResolver resolver(source.candidates, {});
    std::size_t questions = 0;
    while (const auto path = resolver.Next()) {
      ExpectSafe(*path);
      ASSERT_LE(++questions, kMaxDirectories * source.candidates.size());
      resolver.Answer(volume.List(*path));
    }
    ASSERT_LE(resolver.Outcome().paths.size(), kMaxAnswerPaths);
    for (const auto& path : resolver.Outcome().paths) ExpectSafe(path);
  }
}

template <class T>
void PutIfAny(MapCatalog& catalog, std::optional<T> value) {
  if (value) catalog.Put(*std::move(value));
}

TEST(HostileObjects, AreReadSoonAndNeverGiveAnUnsafePath) {
  const char* given = std::getenv("PREWARM_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  std::printf("seed %llu (PREWARM_SEED), %d objects\n", static_cast<unsigned long long>(seed),
              kMutations);
  auto volume = AVolume();
  volume.allowed_namespaces = {"yatai", "victim"};
  volume.tenants = {{.name_space = "yatai", .storage_namespaces = {"org-42", "yatai"}}};
  const KnownVolumes volumes({volume});
  const std::array<json::object, 6> bentos{Json(kStorageClassJson), Json(kBentoJson),
                                           Json(kBentoRequestJson), Json(kClaimJson),
                                           Json(kVolumeJson),       Json(kBentoDeploymentJson)};
  auto deployments = bentos;
  deployments.back() = ADeployment({{kModelsAnnotation, "models:data/x"}});
  std::size_t found = 0;
  std::chrono::steady_clock::duration longest{};
  for (int i = 0; i < kMutations && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("mutation " + std::to_string(i));
    Mutator mutator(seed * 1'000'000 + static_cast<std::uint64_t>(i));
    MapCatalog catalog;
    std::array<json::object, 6> objects = i % 2 == 0 ? bentos : deployments;
    for (auto& object : objects) object = Mutated(mutator, object);
    const auto begin = std::chrono::steady_clock::now();
    PutIfAny(catalog, ReadStorageClass(objects[0]));
    PutIfAny(catalog, ReadBento(objects[1]));
    PutIfAny(catalog, ReadBentoRequest(objects[2]));
    PutIfAny(catalog, ReadPersistentVolumeClaim(objects[3]));
    PutIfAny(catalog, ReadPersistentVolume(objects[4]));
    const auto mapping = i % 2 == 0 ? BentoDeploymentMapping() : DeploymentMapping();
    const auto workload = ReadWorkload(mapping, objects[5]);
    if (workload && workload->ref.name_space == "yatai") {
      const auto sources = FindSources(*workload, catalog, volumes, {});
      ExpectBounded(sources);
      found += sources.models.size();
      HostileVolume hostile(mutator);
      Look(sources, hostile);
    }
    longest = std::max(longest, std::chrono::steady_clock::now() - begin);
  }
  std::printf("the slowest took %.1f ms; %zu sources\n",
              std::chrono::duration<double, std::milli>(longest).count(), found);
  EXPECT_LT(longest, kLongest);
  EXPECT_GT(found, 1000U) << "mutations must leave most of an object alone";
}

TEST(HostileObjects, OfOneAndAHalfMebibytesAreRefusedInWords) {
  auto request = Json(kBentoRequestJson);
  auto& models = request["spec"].at("models").as_array();
  while (models.size() < 12'000) {
    models.push_back({{"tag", "m" + std::to_string(models.size()) + ":" + std::string(60, 'v')},
                      {"downloadUrl", std::string(60, 'u')}});
  }
  ASSERT_GT(json::serialize(request).size(), std::size_t{3} << 19);
  auto catalog = ACatalog();
  catalog.Put(*ReadBentoRequest(request));
  const auto workload = *ReadWorkload(BentoDeploymentMapping(), Json(kBentoDeploymentJson));
  const auto sources = FindSources(workload, catalog, KnownVolumes({AVolume()}), {});
  EXPECT_EQ(sources.models.size(), kMaxModels);
  ASSERT_EQ(sources.unresolved.size(), 1U);
  EXPECT_EQ(
      sources.unresolved[0].reason,
      "BentoRequest yatai/llama-chat--k6v2x7m4kq3aq: spec.models has 12000 entries; the first "
      "64 are read");
}

}  // namespace
}  // namespace prewarm::controller::bento
