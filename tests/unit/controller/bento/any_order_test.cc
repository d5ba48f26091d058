// Objects come, change, go and come again under the same name in any order; the plan is that of
// what is there in the end.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <set>

#include "tests/unit/controller/bento/fixtures.h"

namespace prewarm::controller::bento {
namespace {

constexpr int kOrders = 500;

// The cluster and the volume, as far as a plan reads them.
struct World {
  MapCatalog catalog;
  std::optional<Workload> workload;
  FakeVolume volume;
};

using Change = std::function<void(World&)>;

// The states that one object can be in, "gone" among them.
using States = std::vector<Change>;

Change PutBento(const char* request_uid, bool annotated, bool with_models) {
  return [=](World& world) {
    auto object = Json(kBentoJson);
    auto& metadata = object["metadata"].as_object();
    metadata["ownerReferences"].at(0).as_object()["uid"] = request_uid;
    if (!annotated) {
      metadata.erase("annotations");
      object["spec"].as_object()["image"] = "r/b:yatai.llama_chat.k6v2x7m4kq3aq";
    }
    if (!with_models) object["spec"].as_object().erase("models");
    world.catalog.Put(*ReadBento(object));
  };
}

Change PutRequest(const char* uid, bool annotated, bool seeded) {
  return [=](World& world) {
    auto object = Json(kBentoRequestJson);
    auto& metadata = object["metadata"].as_object();
    metadata["uid"] = uid;
    if (!annotated) metadata.erase("annotations");
    if (!seeded) object["status"].as_object().erase("conditions");
    world.catalog.Put(*ReadBentoRequest(object));
  };
}

Change PutDeployment(const char* bento, const char* models) {
  return [=](World& world) {
    auto object = Json(kBentoDeploymentJson);
    object["spec"].as_object()["bento"] = bento;
    object["metadata"].as_object()["annotations"] = {{kModelsAnnotation, models}};
    auto workload = *ReadWorkload(BentoDeploymentMapping(), object);
    Problems problems;
    AddPodVolumes(Json(R"({"containers": [{"volumeMounts": [{"name": "w", "mountPath": "/w"}]}],
                           "volumes": [{"name": "w",
                                        "persistentVolumeClaim": {"claimName": "weights"}}]})"),
                  workload.components.front(), problems);
    world.workload = std::move(workload);
  };
}

Change PutClaim(const char* uid, const char* phase) {
  return [=](World& world) {
    auto object = Json(kClaimJson);
    object["metadata"].as_object()["uid"] = uid;
    object["status"].as_object()["phase"] = phase;
    world.catalog.Put(*ReadPersistentVolumeClaim(object));
  };
}

Change PutVolume(const char* claim_uid, const char* sub_path) {
  return [=](World& world) {
    auto object = Json(kVolumeJson);
    auto& spec = object["spec"].as_object();
    spec["claimRef"].as_object()["uid"] = claim_uid;
    spec["csi"].at("volumeAttributes").as_object()["subPath"] = sub_path;
    world.catalog.Put(*ReadPersistentVolume(object));
  };
}

Change PutStorageClass(const char* pattern) {
  return [=](World& world) {
    auto object = Json(kStorageClassJson);
    object["parameters"].as_object()["pathPattern"] = pattern;
    world.catalog.Put(*ReadStorageClass(object));
  };
}

std::vector<States> Objects() {
  constexpr const char* kUid = "11111111-2222-3333-4444-555555555555";
  const MapCatalog::Key key("yatai", "llama-chat--k6v2x7m4kq3aq");
  return {
      {PutBento(kUid, true, true), PutBento(kUid, false, true), PutBento(kUid, true, false),
       PutBento("uid-2", true, true), [=](World& world) { world.catalog.RemoveBento(key); }},
      {PutRequest(kUid, true, false), PutRequest(kUid, true, true), PutRequest("uid-2", true, true),
       PutRequest("uid-2", false, false), [=](World& world) { world.catalog.RemoveRequest(key); }},
      {PutDeployment("llama-chat--k6v2x7m4kq3aq", ""),
       PutDeployment("llama-chat--k6v2x7m4kq3aq", "models:data"),
       PutDeployment("another", "other:x"), [](World& world) { world.workload.reset(); }},
      {PutClaim("pvc-1", "Pending"), PutClaim("pvc-1", "Bound"), PutClaim("pvc-2", "Bound"),
       [](World& world) { world.catalog.RemoveClaim({"yatai", "weights"}); }},
      {PutVolume("pvc-1", "data"), PutVolume("pvc-2", "data"), PutVolume("pvc-1", ""),
       [](World& world) { world.catalog.RemoveVolume("pv-1"); }},
      {PutStorageClass("${.PVC.annotations.path}"), PutStorageClass(""),
       [](World& world) { world.catalog.RemoveStorageClass("juicefs-sc"); }},
      {[](World& world) { world.volume = ASeededVolume(); },
       [](World& world) {
         world.volume = ASeededVolume();
         world.volume.Remove("models/org-42/reranker/hx7q2d5m6cxa3/.exists");
       },
       [](World& world) { world.volume = FakeVolume(); },
       [](World& world) { world.volume.File("data/model.safetensors", 5); }},
  };
}

std::optional<ModelPlan> PlanOf(const World& world) {
  if (!world.workload) return std::nullopt;
  const auto sources =
      FindSources(*world.workload, world.catalog, KnownVolumes({AVolume()}), BuilderLayout());
  return PlanModels(sources, world.volume.ResolveAll(sources));
}

// What distinguishes plans, in a line.
std::string Words(const std::optional<ModelPlan>& plan) {
  if (!plan) return "no workload";
  std::string words(GenerationName(plan->generation));
  for (const auto& model : plan->models) {
    words += " " + model.tag + "=" + std::string(StateName(model.state));
    for (const auto& path : model.paths) words += "," + path;
  }
  for (const auto& each : plan->unresolved) words += " !" + each.tag + ":" + each.reason;
  for (const auto& note : plan->notes) words += " #" + note.reason;
  return words;
}

// Histories of all objects, shuffled into one: each keeps its own order, as the API server has it.
struct History {
  std::vector<Change> changes;
  std::vector<Change> last;  // of each object
};

History AHistory(std::mt19937_64& random) {
  const auto objects = Objects();
  std::vector<std::size_t> turns;
  std::vector<std::vector<Change>> changes(objects.size());
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const auto count = 1 + random() % 6;
    for (std::uint64_t n = 0; n < count; ++n) {
      changes[i].push_back(objects[i][random() % objects[i].size()]);
      turns.push_back(i);
    }
  }
  std::ranges::shuffle(turns, random);
  History history;
  for (const auto& each : changes) history.last.push_back(each.back());
  std::vector<std::size_t> next(objects.size());
  for (const auto object : turns) history.changes.push_back(changes[object][next[object]++]);
  return history;
}

TEST(ModelPlan, IsThatOfTheLastStateWhateverCameBefore) {
  const char* given = std::getenv("PREWARM_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  std::printf("seed %llu (PREWARM_SEED), %d orders\n", static_cast<unsigned long long>(seed),
              kOrders);
  std::set<std::string> plans;
  for (int i = 0; i < kOrders; ++i) {
    SCOPED_TRACE("order " + std::to_string(i));
    std::mt19937_64 random(seed * 1'000'000 + static_cast<std::uint64_t>(i));
    auto history = AHistory(random);
    World lived;
    for (const auto& change : history.changes) {
      change(lived);
      ASSERT_EQ(Words(PlanOf(lived)), Words(PlanOf(lived)));
    }
    std::ranges::shuffle(history.last, random);
    World fresh;
    // What lies on a volume adds up; everything else is the last state alone.
    fresh.volume = lived.volume;
    for (const auto& change : history.last) {
      const auto volume = fresh.volume;
      change(fresh);
      fresh.volume = volume;
    }
    ASSERT_EQ(Words(PlanOf(lived)), Words(PlanOf(fresh)));
    ASSERT_EQ(PlanOf(lived), PlanOf(fresh));
    plans.insert(Words(PlanOf(fresh)));
  }
  EXPECT_GT(plans.size(), 50U) << "or the orders prove nothing";
}

}  // namespace
}  // namespace prewarm::controller::bento
