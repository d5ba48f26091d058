// A PrewarmPolicy object as a value. The API server has checked the schema; what it cannot check
// or what an older schema let in is refused here, with the field's path. Errors as in
// objects_json.h.
#pragma once

#include <boost/json/object.hpp>

#include "common/base/result.h"
#include "controller/demand/policy.h"

namespace prewarm::controller::demand {

Result<Policy> PolicyFromJson(const boost::json::object& object);

}  // namespace prewarm::controller::demand
