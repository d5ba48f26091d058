// Objects of the Kubernetes API, as JSON, to the values of objects.h. Unknown fields are nothing; a
// field of the wrong type is a problem of that object, and the rest of the object still counts.
// Nothing comes back for what has no name. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <optional>

#include "controller/bento/objects.h"

namespace prewarm::controller::bento {

std::optional<Bento> ReadBento(const boost::json::object& object);
std::optional<BentoRequest> ReadBentoRequest(const boost::json::object& object);
std::optional<PersistentVolume> ReadPersistentVolume(const boost::json::object& object);
std::optional<PersistentVolumeClaim> ReadPersistentVolumeClaim(const boost::json::object& object);
std::optional<StorageClass> ReadStorageClass(const boost::json::object& object);

}  // namespace prewarm::controller::bento
