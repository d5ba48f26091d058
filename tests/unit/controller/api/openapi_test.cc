// That /openapi.yaml tells the truth: every route with its verb and no other, and the schemas with
// exactly the fields that are written and read.
#include "controller/api/openapi.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <map>
#include <set>
#include <string>

#include "controller/api/rest_json.h"
#include "controller/api/rest_routes.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller {
namespace {

std::string VerbWord(const RoutePolicy& policy) {
  if (!policy.right()) return "anybody";
  switch (VerbOf(*policy.right())) {
    case Verb::kGet: return "get";
    case Verb::kCreate: return "create";
    case Verb::kCancel: return "cancel";
    case Verb::kMetrics: return "metrics";
  }
  return "";
}

class OpenApiTest : public testing::Test {
 protected:
  // Follows "#/components/…".
  YAML::Node Resolved(YAML::Node node) {
    while (node["$ref"]) {
      YAML::Node target = YAML::Clone(document_);
      std::string path = node["$ref"].as<std::string>().substr(2) + "/";
      for (std::size_t at = 0; at < path.size();) {
        const auto end = path.find('/', at);
        target.reset(target[path.substr(at, end - at)]);
        at = end + 1;
      }
      EXPECT_TRUE(target.IsDefined()) << path;
      node = target;
    }
    return node;
  }
  YAML::Node Schema(const std::string& name) { return document_["components"]["schemas"][name]; }

  // The object has the properties of the schema, each of them required, and nothing else.
  void ExpectSame(const boost::json::object& object, const YAML::Node& given,
                  const std::string& where, bool all_required = true) {
    const auto schema = Resolved(given);
    std::set<std::string> written;
    std::set<std::string> described;
    std::set<std::string> required;
    for (const auto& entry : object) written.emplace(entry.key());
    for (const auto& entry : schema["properties"]) described.insert(entry.first.as<std::string>());
    for (const auto& entry : schema["required"]) required.insert(entry.as<std::string>());
    EXPECT_EQ(written, described) << where;
    if (all_required) EXPECT_EQ(required, described) << where;
    EXPECT_EQ(schema["additionalProperties"].as<std::string>(), "false") << where;
    for (const auto& entry : object) {
      const std::string name(entry.key());
      ExpectFits(entry.value(), schema["properties"][name], where + "." + name);
    }
  }
  void ExpectFits(const boost::json::value& value, const YAML::Node& given,
                  const std::string& where) {
    const auto schema = Resolved(given);
    if (value.is_object() && schema["properties"]) {
      ExpectSame(value.as_object(), given, where, where.find("spec") == std::string::npos);
    } else if (value.is_array() && !value.as_array().empty()) {
      ExpectFits(value.at(0), schema["items"], where + "[]");
    } else {
      ExpectTyped(value, schema["type"], where);
    }
  }
  void ExpectTyped(const boost::json::value& value, const YAML::Node& type,
                   const std::string& where) {
    std::set<std::string> types;
    if (type.IsScalar()) types.insert(type.as<std::string>());
    for (const auto& one : type) types.insert(one.as<std::string>());
    const auto* name = value.is_null()     ? "null"
                       : value.is_bool()   ? "boolean"
                       : value.is_string() ? "string"
                       : value.is_array()  ? "array"
                       : value.is_object() ? "object"
                       : value.is_double() ? "number"
                                           : "integer";
    const bool fits = types.contains(name) || (value.is_number() && types.contains("number"));
    EXPECT_TRUE(fits) << where << " is written as " << name;
  }

  const YAML::Node document_ = YAML::Load(std::string(OpenApiDocument()));
};

TEST_F(OpenApiTest, HasEveryRouteWithItsVerbAndNoOther) {
  std::map<std::string, std::string> described;
  for (const auto& path : document_["paths"]) {
    for (const auto& operation : path.second) {
      auto method = operation.first.as<std::string>();
      if (method == "parameters") continue;
      std::ranges::transform(method, method.begin(),
                             [](unsigned char c) { return std::toupper(c); });
      const auto verb = operation.second["x-prewarm-verb"];
      const bool open = operation.second["security"] && operation.second["security"].size() == 0;
      EXPECT_NE(open, verb.IsDefined()) << path.first.as<std::string>();
      described[method + " " + path.first.as<std::string>()] =
          open ? "anybody" : verb.as<std::string>();
    }
  }
  std::map<std::string, std::string> served;
  for (const Route& route : RestRoutes()) {
    served[std::string(route.method) + " " + std::string(route.pattern)] = VerbWord(route.policy);
  }
  EXPECT_EQ(described, served);
}

TEST_F(OpenApiTest, TellsTheRefusalsOfEveryOperation) {
  std::set<std::string> names;
  for (const auto& path : document_["paths"]) {
    for (const auto& operation : path.second) {
      if (operation.first.as<std::string>() == "parameters") continue;
      const auto where = operation.first.as<std::string>() + " " + path.first.as<std::string>();
      const auto responses = operation.second["responses"];
      EXPECT_TRUE(responses["default"]) << where;
      if (operation.second["x-prewarm-verb"]) {
        EXPECT_TRUE(responses["401"] && responses["403"]) << where;
      }
      EXPECT_TRUE(names.insert(operation.second["operationId"].as<std::string>()).second) << where;
      for (const auto& response : responses) Resolved(response.second);
    }
  }
}

TEST_F(OpenApiTest, DescribesWhatIsWritten) {
  PrewarmView prewarm;
  prewarm.prewarm.spec.paths = {"a"};
  prewarm.tasks.push_back({NodeTask(), WallTime()});
  prewarm.forecast = Forecast{WallTime(), std::chrono::milliseconds(1), 1, "words"};
  ExpectSame(ToJson(prewarm), Schema("Prewarm"), "Prewarm");
  prewarm.forecast.reset();
  ExpectSame(ToJson(prewarm), Schema("Prewarm"), "Prewarm");
  ExpectSame(ToJson(Page<PrewarmView>{{prewarm}, ""}), Schema("PrewarmPage"), "PrewarmPage");

  PlanView plan;
  plan.actions.push_back({"n", "order", 1});
  plan.rejected.push_back({"n", "full"});
  plan.superseded.emplace_back("pw-1");
  ExpectSame(ToJson(plan), Schema("PrewarmPlan"), "PrewarmPlan");

  NodeView node;
  node.node.seen_at = WallTime();
  node.node.labels = {{"a", "b"}};
  node.node.volumes.push_back({"uuid", 1, true, "models, mounted"});
  ExpectSame(ToJson(node), Schema("Node"), "Node");
  ExpectSame(ToJson(Page<NodeView>{{node}, ""}), Schema("NodePage"), "NodePage");
  ExpectSame(ToJson(VolumeView{}), Schema("Volume"), "Volume");
  ExpectSame(ToJson(Page<VolumeView>{{VolumeView{}}, ""}), Schema("VolumePage"), "VolumePage");
  ExpectSame(ToJson(FilesView{{{"a", 1, 2}}, 1, 1, ""}), Schema("FilePage"), "FilePage");
}

TEST_F(OpenApiTest, NamesEveryState) {
  std::set<std::string> prewarm;
  std::set<std::string> task;
  for (const auto& word : Schema("PrewarmState")["enum"]) prewarm.insert(word.as<std::string>());
  for (const auto& word : Schema("Task")["properties"]["state"]["enum"]) {
    task.insert(word.as<std::string>());
  }
  for (int i = 0; i <= static_cast<int>(PrewarmState::kSuperseded); ++i) {
    EXPECT_EQ(prewarm.erase(std::string(StateName(static_cast<PrewarmState>(i)))), 1U) << i;
  }
  for (int i = 0; i <= static_cast<int>(TaskState::kCancelled); ++i) {
    EXPECT_EQ(task.erase(std::string(StateName(static_cast<TaskState>(i)))), 1U) << i;
  }
  EXPECT_TRUE(prewarm.empty());
  EXPECT_TRUE(task.empty());
}

TEST_F(OpenApiTest, SaysTheLimitsThatAreHeld) {
  const auto spec = Schema("PrewarmSpec")["properties"];
  EXPECT_EQ(spec["paths"]["maxItems"].as<std::size_t>(), kMaxPaths);
  EXPECT_EQ(spec["paths"]["items"]["maxLength"].as<std::size_t>(), kMaxPathBytes);
  EXPECT_EQ(spec["priority"]["maximum"].as<int>(), kMaxPriority);
  EXPECT_EQ(spec["model"]["maxLength"].as<std::size_t>(), kMaxNameBytes);
  EXPECT_EQ(Schema("Name")["maxLength"].as<std::size_t>(), kMaxNameBytes);
  const auto nodes = Schema("NodeSelector")["properties"];
  EXPECT_EQ(nodes["names"]["maxItems"].as<std::size_t>(), kMaxNodeNames);
  EXPECT_EQ(nodes["labels"]["maxProperties"].as<std::size_t>(), kMaxLabels);
  EXPECT_EQ(nodes["labels"]["propertyNames"]["maxLength"].as<std::size_t>(), kMaxLabelNameBytes);
  EXPECT_EQ(nodes["labels"]["additionalProperties"]["maxLength"].as<std::size_t>(),
            kMaxLabelValueBytes);
  const auto parameters = document_["components"]["parameters"];
  EXPECT_EQ(parameters["PageSize"]["schema"]["maximum"].as<std::uint32_t>(), kListPages.most);
  EXPECT_EQ(parameters["PageSize"]["schema"]["default"].as<std::uint32_t>(), kListPages.usual);
}

}  // namespace
}  // namespace prewarm::controller
