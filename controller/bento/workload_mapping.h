// How an object of some kind becomes a Workload: a table of JSON paths. Kinds that we do not know
// are added by configuration, those that we know are the same tables, built in. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "controller/bento/json_path.h"
#include "controller/bento/workload.h"

namespace prewarm::controller::bento {

// Paths that are empty, or name nothing in an object, leave the default.
struct ComponentMapping {
  std::string name = "main";
  // Where there is a list, each of its items is a component, the paths below start at the item, and
  // its name stands at `item_name`.
  JsonPath list;
  JsonPath item_name;

  JsonPath pod_spec;         // containers, volumes and the scheduling part
  JsonPath pod_annotations;  // of its pods
  JsonPath resources;        // requests and limits that stand outside of pod_spec's containers
  JsonPath min_replicas;
  JsonPath max_replicas;               // empty: as min_replicas
  JsonPath envs;                       // outside of pod_spec's containers
  std::vector<JsonPath> storage_uris;  // "pvc://claim/path", as KServe has it
  // Labels of its pods; "{name}" stands for the name of the object, "{component}" for ours.
  TextMap pod_labels;
  JsonPath pod_selector;  // a matchLabels of the object, which adds to pod_labels
  bool operator==(const ComponentMapping&) const = default;
};

struct WorkloadMapping {
  std::string group;  // empty: the core group
  std::string version;
  std::string resource;  // plural, as in the URL
  std::string kind;
  JsonPath bento;  // the name of a Bento or BentoRequest in the namespace of the object
  std::vector<ComponentMapping> components;
  std::vector<JsonPath> annotations;  // beside metadata.annotations
  bool annotated_only = false;        // of interest only with an annotation of prewarm.dev
  // Of no interest if it belongs to an object of such a kind, which speaks for it.
  std::vector<std::string> spoken_for_by;
  bool operator==(const WorkloadMapping&) const = default;
};

WorkloadMapping BentoDeploymentMapping();   // serving.yatai.ai/v2alpha1
WorkloadMapping DeploymentMapping();        // apps/v1; annotated_only
WorkloadMapping InferenceServiceMapping();  // serving.kserve.io/v1beta1
std::vector<WorkloadMapping> BuiltInMappings();

// Nothing: without a name, or not of interest.
std::optional<Workload> ReadWorkload(const WorkloadMapping& mapping,
                                     const boost::json::object& object);

// Adds the volumes and mounts of a live pod spec to a component; a BentoDeployment itself cannot
// name any, but the Deployment that an operator makes of it may.
void AddPodVolumes(const boost::json::object& pod_spec, Component& component, Problems& problems);

}  // namespace prewarm::controller::bento
