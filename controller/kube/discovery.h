// Whether the API server has a resource now. Custom resources come and go with their definitions,
// so that an answer is asked for again after a while. Lives on one executor.
#pragma once

#include <map>
#include <set>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/resource.h"

namespace prewarm::controller::kube {

class Discovery {
 public:
  Discovery(KubeApi& api, const Clock& clock, Duration good_for = std::chrono::minutes(3))
      : api_(api), clock_(clock), good_for_(good_for) {}

  // False: the server does not have the group, the version or the resource. An error: it could not
  // be asked, and no answer is known that is young enough.
  Task<Result<bool>> Served(Resource resource);
  // The next question is asked afresh.
  void Forget() { known_.clear(); }

 private:
  struct Group {
    std::set<std::string> plurals{};
    SteadyTime asked;
  };
  Task<Result<Group>> Ask(std::string path);

  KubeApi& api_;
  const Clock& clock_;
  const Duration good_for_;
  std::map<std::string, Group> known_;  // by path of group and version
};

}  // namespace prewarm::controller::kube
