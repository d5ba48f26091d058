// Which volumes there are, and who said so: the configuration, or objects of the cluster. Where
// both have a name, the configuration holds. A volume whose description changed is opened anew.
// Lives on the control executor.
#pragma once

#include <map>
#include <string>

#include "common/base/clock.h"
#include "controller/controller_config.h"
#include "controller/reconcile/volumes.h"

namespace prewarm::controller {

class VolumeTable {
 public:
  using Configs = std::map<std::string, VolumeConfig>;

  explicit VolumeTable(const Clock& clock) : clock_(clock) {}

  // Each replaces what was said by it before.
  void SetConfigured(Configs configured);
  void SetFromObjects(Configs from_objects);

  [[nodiscard]] bool IsConfigured(const std::string& name) const {
    return configured_.contains(name);
  }
  // Outlives every change; its entries do not.
  [[nodiscard]] VolumeMap& map() { return map_; }

 private:
  void Take();

  const Clock& clock_;
  Configs configured_;
  Configs from_objects_;
  VolumeMap map_;
};

}  // namespace prewarm::controller
