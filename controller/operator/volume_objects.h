// Volumes that operators describe as objects of the cluster (PrewarmVolume), with the Secrets that
// hold their metadata URLs: kept in the table of volumes while this process lives, and told of in
// their status while it leads. Lives on the control executor.
//
// A Secret is read by name when an object that names it comes or changes, and once a minute, so
// that a rotated password is taken in; every ten seconds while it, or the metadata, cannot be read.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/process/log.h"
#include "controller/kube/reflector.h"
#include "controller/operator/volume_object.h"
#include "controller/reconcile/volume_table.h"

namespace prewarm::controller {

class VolumeObjects {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    VolumeTable& volumes;
    std::string own_namespace;      // of Secrets that are named without one
    std::function<void()> changed;  // there are others now; it must only make a note of that
    std::uint64_t seed = 0;
  };
  explicit VolumeObjects(Parts parts);

  // Keeps the table, until it is stopped.
  Task<void> Watch();
  // Writes the statuses, until it is stopped; for the leader.
  Task<void> Tell();
  // Every object was listed and its Secrets were asked for: what is not in the table now is no
  // volume. A cluster without the definition has none.
  [[nodiscard]] bool complete() const;
  // Why the objects cannot be watched now; empty if all is well.
  [[nodiscard]] const std::string& trouble() const { return objects_.trouble(); }
  [[nodiscard]] const kube::ReflectorLoop& cache() const { return objects_; }

 private:
  // An object with what its Secrets hold.
  struct Description {
    VolumeConfig config;
    std::string reason;  // why it cannot be used; empty: it can
    // The API server did not answer: what was known of this very object goes on holding.
    bool unanswered = false;
  };
  struct Opened {
    std::uint64_t generation = 0;  // of the object that was described; 0: not yet
    SteadyTime asked{};
    bool asking = false;
    Description is;
  };
  struct Told {
    bool busy = false;  // it is being looked at or written
    std::weak_ptr<Volume> looked_at;
    SteadyTime looked{};
    SteadyTime written{};
  };

  void AskForSecrets();
  [[nodiscard]] bool IsFine(const std::string& name) const;
  Task<void> Open(VolumeObject object);
  Task<Description> Describe(VolumeObject object);
  Task<Result<Secret>> ReadSecret(SecretKeyRef ref);
  void Publish();
  void TellAll();
  Task<void> Look(std::string name, std::shared_ptr<Volume> volume);
  Task<void> Write(VolumeObject object, VolumeStatus status);
  // Nothing: not known yet.
  [[nodiscard]] std::optional<VolumeStatus> StatusOf(const VolumeObject& object) const;

  Parts parts_;
  kube::Reflector<VolumeObject> objects_;
  Signal work_;
  TaskGroup reading_;
  TaskGroup telling_;
  std::map<std::string, Opened> opened_;
  std::map<std::string, Told> told_;
};

}  // namespace prewarm::controller
