// Problems that several calls tell in the same words. Pure.
#pragma once

#include <string>

#include "common/base/error.h"
#include "controller/api/problem.h"

namespace prewarm::controller {

// kInvalid, about one field.
Problem Invalid(std::string type, std::string field, std::string detail);
// kNotFound: "there is no node n1".
Problem NoSuch(const std::string& kind, const std::string& name);
// The caller can do nothing about it, the operator can.
Problem MetadataAway(const Error& error);
// What ended and was forgotten here could not be looked up.
Problem JobsAway(const Error& error);
// An error of reading the paths of a spec, as the caller should see it.
Problem OfMetadata(const Error& error);

}  // namespace prewarm::controller
