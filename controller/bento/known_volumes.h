// The JuiceFS volumes that an operator has named, and which of them a PersistentVolume or a
// StorageClass means. Who may warm what of them is decided here too. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "controller/bento/objects.h"

namespace prewarm::controller::bento {

inline constexpr const char* kJuiceFsDriver = "csi.juicefs.com";

// Which directories below models/ the workloads of a namespace may use, beside the shared one.
struct Tenant {
  std::string name_space;
  std::vector<std::string> storage_namespaces;
  bool operator==(const Tenant&) const = default;
};

struct KnownVolume {
  std::string name;
  std::string uuid;    // empty: not known yet
  std::string subdir;  // what our paths are relative to; empty: the volume's root
  std::vector<std::string> storage_classes;
  std::vector<SecretRef> csi_secrets;       // with its metadata URL; an empty namespace: any
  std::vector<std::string> volume_handles;  // of PersistentVolumes made by hand
  // Where the models of all tenants lie, from the volume's root.
  std::string models_directory = "models";
  std::vector<std::string> allowed_namespaces;  // empty: all
  std::vector<Tenant> tenants;                  // empty: no table; see MayUsePath
  bool operator==(const KnownVolume&) const = default;

  [[nodiscard]] bool Allows(std::string_view name_space) const;
};

class KnownVolumes {
 public:
  // Sorted by name, so that the order of the configuration does not matter.
  explicit KnownVolumes(std::vector<KnownVolume> volumes);

  [[nodiscard]] const KnownVolume* Named(std::string_view name) const;
  // By volume handle, else by secret, else by storage class. kNotFound: none fits. kConflict: more
  // than one does.
  Result<const KnownVolume*> Of(const PersistentVolume& volume) const;
  Result<const KnownVolume*> Of(const StorageClass& storage) const;

 private:
  std::vector<KnownVolume> volumes_;
};

// Whether a workload of this namespace may warm what an object of its own names. kPermission, with
// words: the namespace may not use the volume, or the directory is another tenant's. With a table
// of tenants, what it does not give is another tenant's, and so is all that holds every tenant's.
// Without one, it is what is named like another namespace that may use the volume.
Status MayUse(const KnownVolume& volume, std::string_view name_space,
              std::string_view storage_namespace);
// The same for a path of the volume's root.
Status MayUsePath(const KnownVolume& volume, std::string_view name_space, std::string_view path);

// A path of the volume's root as we name it to agents: relative to `subdir`. kPermission: it
// lies outside.
Result<std::string> BelowSubdir(const KnownVolume& volume, std::string_view path);

}  // namespace prewarm::controller::bento
