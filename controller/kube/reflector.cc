#include "controller/kube/reflector.h"

#include <boost/json/array.hpp>
#include <string_view>
#include <variant>

#include "common/async/deadline.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;

constexpr auto kMetadataOnly = ";as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
constexpr auto kMetadataListOnly =
    ";as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
constexpr auto kInitialEventsEnd = "k8s.io/initial-events-end";
// Asked for one page of a list; a server that is busy may need long for it.
constexpr std::chrono::seconds kPageDeadline{60};

struct Identified {
  ObjectKey key;
  std::string version;
};

std::optional<Identified> Identify(const json::object& object) {
  const auto* metadata = ObjectIn(object, "metadata");
  if (metadata == nullptr) return std::nullopt;
  Identified found{
      {std::string(TextIn(*metadata, "namespace")), std::string(TextIn(*metadata, "name"))},
      std::string(TextIn(*metadata, "resourceVersion"))};
  if (found.key.name.empty() || found.version.empty()) return std::nullopt;
  return found;
}

ReflectorMachine::Trouble TroubleOf(const Error& error) {
  return {.too_long = error.reason == Reason::kWrongLength, .message = error.message};
}

ReflectorMachine::Trouble TroubleOf(const KubeAnswer& answer, const Resource& resource) {
  return {.status = answer.status,
          .retry_after = answer.retry_after,
          .message = ErrorOf(answer, ToString(resource)).message};
}

// What an ERROR event carries: a Status of the API.
ReflectorMachine::Trouble TroubleOf(const json::object& status, const Resource& resource) {
  const auto* code = status.if_contains("code");
  const auto* number = code == nullptr ? nullptr : code->if_int64();
  const bool usable = number != nullptr && *number >= 400 && *number < 600;
  KubeAnswer answer{.status = usable ? static_cast<unsigned>(*number) : 500};
  answer.body = status;
  return TroubleOf(answer, resource);
}

bool EndsInitialEvents(const json::object& metadata) {
  const auto* annotations = ObjectIn(metadata, "annotations");
  return annotations != nullptr && TextIn(*annotations, kInitialEventsEnd) == "true";
}

Query Selectors(const ReflectorRequest& request) {
  Query query;
  if (!request.label_selector.empty()) query.emplace_back("labelSelector", request.label_selector);
  if (!request.field_selector.empty()) query.emplace_back("fieldSelector", request.field_selector);
  return query;
}

}  // namespace

ReflectorLoop::ReflectorLoop(KubeApi& api, const Clock& clock, ReflectorRequest request,
                             ReflectorHooks hooks, std::uint64_t seed)
    : api_(api),
      clock_(clock),
      request_(std::move(request)),
      hooks_(std::move(hooks)),
      machine_(request_.options, clock.Now(), seed) {}

Task<void> ReflectorLoop::Run() {
  while (!co_await Stopping()) {
    auto step = machine_.Next(clock_.Now());
    if (const auto* pause = std::get_if<ReflectorMachine::Pause>(&step)) {
      co_await SleepFor(pause->length);
    } else if (auto* page = std::get_if<ReflectorMachine::ListPage>(&step)) {
      co_await Page(std::move(*page));
    } else {
      co_await Follow(std::get<ReflectorMachine::WatchFrom>(std::move(step)));
    }
  }
}

Task<void> ReflectorLoop::Page(ReflectorMachine::ListPage page) {
  if (page.continue_from.empty()) DropStaged();
  KubeRequest list{.query = Selectors(request_), .deadline = kPageDeadline};
  auto path = CollectionPath(request_.resource, request_.ns);
  if (!path) co_return Finish(machine_.Failed(TroubleOf(path.error()), clock_.Now()));
  list.path = *std::move(path);
  list.query.emplace_back("limit", std::to_string(page.limit));
  if (!page.continue_from.empty()) list.query.emplace_back("continue", page.continue_from);
  if (request_.metadata_only) list.accept += kMetadataListOnly;
  const auto answer = co_await api_.Send(std::move(list));
  if (co_await Stopping()) co_return;
  if (!answer) co_return Finish(machine_.Failed(TroubleOf(answer.error()), clock_.Now()));
  if (!answer->ok()) {
    co_return Finish(machine_.Failed(TroubleOf(*answer, request_.resource), clock_.Now()));
  }
  TakePage(answer->body);
}

void ReflectorLoop::TakePage(const json::value& body) {
  const auto* object = body.if_object();
  const auto* metadata = object == nullptr ? nullptr : ObjectIn(*object, "metadata");
  if (metadata == nullptr) {
    return Finish(machine_.Failed({.message = "the answer is not a list"}, clock_.Now()));
  }
  if (const auto* items = ArrayIn(*object, "items")) {
    for (const auto& item : *items) {
      if (const auto* item_object = item.if_object()) TakeItem(*item_object);
    }
  }
  Finish(machine_.PageDone(std::string(TextIn(*metadata, "resourceVersion")),
                           std::string(TextIn(*metadata, "continue")), clock_.Now()));
}

void ReflectorLoop::TakeItem(const json::object& object) {
  const auto found = Identify(object);
  if (!found) return machine_.RefuseObject();
  machine_.TakeItem(found->key, found->version, Stage(found->key, object));
}

Task<void> ReflectorLoop::Follow(ReflectorMachine::WatchFrom from) {
  if (from.initial_events) DropStaged();
  WatchRequest watch{.query = Selectors(request_), .timeout = from.timeout};
  auto path = CollectionPath(request_.resource, request_.ns);
  if (!path) co_return Finish(machine_.Failed(TroubleOf(path.error()), clock_.Now()));
  watch.path = *std::move(path);
  if (from.initial_events) {
    watch.query.emplace_back("sendInitialEvents", "true");
    watch.query.emplace_back("resourceVersionMatch", "NotOlderThan");
  } else {
    watch.query.emplace_back("resourceVersion", from.resource_version);
  }
  if (request_.metadata_only) watch.accept += kMetadataOnly;
  watch.on_open = [this] {
    machine_.WatchOpened(clock_.Now());
    TellState();
  };
  std::optional<ReflectorMachine::Trouble> in_stream;
  const auto end = co_await api_.Watch(
      std::move(watch), [this, &in_stream](WatchEventType type, const json::object& object) {
        if (type != WatchEventType::kError) return TakeEvent(type, object);
        in_stream = TroubleOf(object, request_.resource);
        return Status(Fail(ErrorCode::kConflict, in_stream->message));
      });
  if (co_await Stopping()) co_return;
  if (in_stream) co_return Finish(machine_.Failed(*in_stream, clock_.Now()));
  if (!end) co_return Finish(machine_.Failed(TroubleOf(end.error()), clock_.Now()));
  if (!end->ok()) {
    co_return Finish(machine_.Failed(TroubleOf(*end, request_.resource), clock_.Now()));
  }
  Finish(machine_.WatchDone(clock_.Now()));
}

Status ReflectorLoop::TakeEvent(WatchEventType type, const json::object& object) {
  if (type == WatchEventType::kBookmark) {
    if (const auto* metadata = ObjectIn(object, "metadata")) {
      Finish(machine_.Bookmark(std::string(TextIn(*metadata, "resourceVersion")),
                               EndsInitialEvents(*metadata), clock_.Now()));
    }
    return {};
  }
  const auto found = Identify(object);
  if (!found) {
    machine_.RefuseObject();
    return {};
  }
  const auto& [key, version] = *found;
  switch (machine_.Judge(type == WatchEventType::kDeleted, key, version, clock_.Now())) {
    case ReflectorMachine::Verdict::kStage:
      machine_.TakeItem(key, version, Stage(key, object));
      return {};
    case ReflectorMachine::Verdict::kPut:
      if (machine_.Put(key, version, Put(key, object))) TellChanged(key);
      break;
    case ReflectorMachine::Verdict::kErase:
      Erase(key);
      TellChanged(key);
      break;
    case ReflectorMachine::Verdict::kIgnore: break;
    case ReflectorMachine::Verdict::kStop:
      return Fail(ErrorCode::kConflict, "the watch cannot be trusted");
  }
  TellResync();
  return {};
}

void ReflectorLoop::Finish(const ReflectorMachine::Update& update) {
  using Staged = ReflectorMachine::Update::Staged;
  if (update.staged == Staged::kDrop || update.staged == Staged::kEmpty) DropStaged();
  if (update.staged == Staged::kTake || update.staged == Staged::kEmpty) TakeStaged();
  for (const auto& key : update.changed) TellChanged(key);
  TellState();
  if (update.look_at_all && hooks_.look_at_all) hooks_.look_at_all();
  TellResync();
}

void ReflectorLoop::TellChanged(const ObjectKey& key) {
  if (hooks_.changed) hooks_.changed(key);
}

void ReflectorLoop::TellState() {
  if (std::exchange(told_, machine_.state()) == machine_.state()) return;
  if (hooks_.state_changed) hooks_.state_changed(machine_.state());
}

void ReflectorLoop::TellResync() {
  if (machine_.TakeResync(clock_.Now()) && hooks_.look_at_all) hooks_.look_at_all();
}

}  // namespace prewarm::controller::kube
