// The Kubernetes API as two calls: a request that has one answer, and a watch. KubeClient is the
// real one; tests put faults before it. What is built on top of them is in objects.h, reflector.h,
// events.h.
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/kube/resource.h"
#include "controller/kube/watch_decoder.h"

namespace prewarm::controller::kube {

enum class Method : std::uint8_t { kGet, kPost, kPut, kPatch, kDelete };
std::string_view MethodName(Method method);

enum class ContentType : std::uint8_t {
  kJson,
  kMergePatch,
  kJsonPatch,
  kApplyPatch,  // server-side apply; JSON is YAML
};

struct KubeRequest {
  Method method = Method::kGet;
  std::string path{};  // from resource.h
  Query query{};
  std::optional<boost::json::value> body{};
  ContentType content_type = ContentType::kJson;
  std::string accept = "application/json";
  Duration deadline =
      std::chrono::seconds(30);  // for everything, a repetition after a 401 included
};

struct KubeAnswer {
  unsigned status = 0;  // of HTTP
  boost::json::value
      body{};  // null where there is none; of a failure the API's Status, or its text
  std::optional<Duration> retry_after{};

  [[nodiscard]] bool ok() const { return status / 100 == 2; }
};

// Why the API said no, with the message of its Status: "<what>: <message>". 401 and 403
// kPermission; 404 kNotFound; 409 and 410 kConflict; 429, 500, 502, 503 and 504 kUnavailable;
// 400, 422 and any other kInvalidArgument.
Error ErrorOf(const KubeAnswer& answer, std::string_view what);

// The message of a Status, or the text itself; empty where there is neither.
std::string MessageOf(const boost::json::value& body);

struct WatchRequest {
  std::string path{};  // of a collection
  Query query{};       // selectors, resourceVersion, …; the watch's own parameters are added
  std::string accept = "application/json";
  std::chrono::seconds timeout{300};  // the server ends the watch after this
  std::function<void()> on_open{};    // the server took the watch; may be empty
};

class KubeApi {
 public:
  virtual ~KubeApi() = default;

  // An answer of any status. kUnavailable, kTimeout, kPermission (TLS) and kCancelled where there
  // is none; kCorrupt: it is not JSON, or longer or deeper than allowed (Reason::kWrongLength: too
  // long). After kUnavailable and kTimeout a change may have been made all the same.
  virtual Task<Result<KubeAnswer>> Send(KubeRequest request) = 0;

  // Delivers events until the server ends the watch. 200: it did so in order, between two lines;
  // another status: it refused the watch. Errors as of Send; kUnavailable also where the stream was
  // cut, kTimeout where nothing ended it 30 s after its time.
  virtual Task<Result<KubeAnswer>> Watch(WatchRequest request, WatchSink sink) = 0;
};

}  // namespace prewarm::controller::kube
