// The API's values as JSON, with the names that prewarm.proto gives them. In answers every field is
// there; what is not known is null. Times are RFC 3339 in UTC, durations seconds, sizes bytes,
// states words in lower case. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "controller/api/prewarm_service.h"
#include "controller/api/problem.h"

namespace prewarm::controller {

// {"spec": {…}, "idempotency_key": "…"}. kInvalid names every field that is wrong.
ApiResult<CreateRequest> CreateRequestFromJson(std::string_view body);

boost::json::object ToJson(const PrewarmView& view);
boost::json::object ToJson(const CreateAnswer& answer);
boost::json::object ToJson(const PlanView& view);
boost::json::object ToJson(const NodeView& view);
boost::json::object ToJson(const VolumeView& view);
boost::json::object ToJson(const FilesView& view);
boost::json::object ToJson(const Page<PrewarmView>& page);
boost::json::object ToJson(const Page<NodeView>& page);
boost::json::object ToJson(const Page<VolumeView>& page);

}  // namespace prewarm::controller
