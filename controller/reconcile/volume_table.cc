#include "controller/reconcile/volume_table.h"

#include <memory>
#include <utility>

namespace prewarm::controller {

void VolumeTable::SetConfigured(Configs configured) {
  configured_ = std::move(configured);
  Take();
}

void VolumeTable::SetFromObjects(Configs from_objects) {
  from_objects_ = std::move(from_objects);
  Take();
}

void VolumeTable::Take() {
  auto wanted = configured_;
  wanted.insert(from_objects_.begin(), from_objects_.end());
  std::erase_if(map_, [&](const auto& known) {
    const auto now = wanted.find(known.first);
    return now == wanted.end() || now->second != known.second->config();
  });
  for (const auto& [name, config] : wanted) {
    auto& volume = map_[name];
    if (volume == nullptr) volume = std::make_shared<Volume>(name, config, clock_);
  }
}

}  // namespace prewarm::controller
