// The calls of the API, once for REST and gRPC. Implementations live on the control executor and
// are called there; adapters hop to it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "controller/api/problem.h"
#include "controller/plan/forecast.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

// Who calls, as authentication found out.
struct Caller {
  std::string identity;
  std::string name_space;  // prewarms of other namespaces do not exist for the caller
  // Also volumes that are for other namespaces: the right was to all of them.
  bool every_volume = false;
};

struct TaskView {
  NodeTask task;
  std::optional<WallTime> eta;
};

struct PrewarmView {
  Prewarm prewarm;
  std::vector<TaskView> tasks;       // by node
  std::optional<Forecast> forecast;  // while it runs
};

struct RejectedNode {
  std::string node;
  std::string reason;
};

struct PlannedAction {
  std::string node;
  std::string action;  // "order", "cancel"
  std::uint64_t bytes = 0;
};

struct PlanView {
  PrewarmSpec spec;  // as it would be accepted
  std::vector<PlannedAction> actions;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // per node
  std::uint64_t blocks = 0;
  std::optional<Forecast> forecast;
  std::vector<RejectedNode> rejected;
  std::vector<std::string> superseded;
};

struct NodeView {
  Node node;
  std::uint32_t tasks = 0;  // not ended
  std::uint64_t queued_bytes = 0;
  std::optional<WallTime> eta;
};

struct VolumeView {
  std::string name;
  std::string uuid;
  std::string storage;
  bool reachable = false;
  std::string message;
  std::uint32_t prewarms = 0;
  std::uint64_t bytes_per_second = 0;
  std::optional<WallTime> eta;
};

struct FileView {
  std::string path;
  std::uint64_t bytes = 0;
  std::uint32_t slices = 0;
};

struct FilesView {
  std::vector<FileView> files;
  std::uint64_t total_files = 0;
  std::uint64_t total_bytes = 0;
  std::string next_page_token;
};

template <class T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;  // empty: the last page
};

struct PageRequest {
  std::uint32_t size = 50;  // adapters have checked it
  std::string token;
};

struct CreateRequest {
  PrewarmSpec spec;
  std::string idempotency_key;
  std::string bento{};  // says volume, paths and model in place of the spec
  std::string id{};  // of an object that a user made; empty: a new one, as it is for every caller
};

struct CreateAnswer {
  PrewarmView view;
  bool created = true;  // false: the idempotency key named an existing one
};

struct PrewarmFilter {
  std::string volume;
  std::optional<PrewarmState> state;
};

class PrewarmService {
 public:
  virtual ~PrewarmService() = default;

  // Answers when the prewarm is durable.
  virtual Task<ApiResult<CreateAnswer>> Create(Caller caller, CreateRequest request) = 0;
  virtual Task<ApiResult<PlanView>> Plan(Caller caller, CreateRequest request) = 0;
  virtual Task<ApiResult<PrewarmView>> Get(Caller caller, std::string id) = 0;
  virtual ApiResult<Page<PrewarmView>> List(const Caller& caller, const PrewarmFilter& filter,
                                            const PageRequest& page) = 0;
  virtual Task<ApiResult<PrewarmView>> Cancel(Caller caller, std::string id) = 0;
  // Waits until the prewarm differs from what `seen` was called with (a number that grows with
  // every change; 0 at first), at most `limit`. The answer may be unchanged after `limit`.
  struct Change {
    PrewarmView view;
    std::uint64_t version = 0;
  };
  virtual Task<ApiResult<Change>> Watch(Caller caller, std::string id, std::uint64_t seen,
                                        Duration limit) = 0;

  virtual ApiResult<Page<NodeView>> Nodes(const Caller& caller, const PageRequest& page) = 0;
  virtual ApiResult<NodeView> NodeNamed(const Caller& caller, const std::string& name) = 0;
  virtual ApiResult<Page<VolumeView>> Volumes(const Caller& caller, const PageRequest& page) = 0;
  virtual ApiResult<VolumeView> VolumeNamed(const Caller& caller, const std::string& name) = 0;
  virtual Task<ApiResult<FilesView>> Files(Caller caller, std::string volume, std::string path,
                                           PageRequest page) = 0;
};

}  // namespace prewarm::controller
