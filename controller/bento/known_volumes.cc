#include "controller/bento/known_volumes.h"

#include <algorithm>
#include <utility>

#include "controller/bento/model_names.h"

namespace prewarm::controller::bento {
namespace {

constexpr std::string_view kShared = ".shared";

// What an object does not name fits nothing.
bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return !text.empty() && std::ranges::find(list, text) != list.end();
}

bool HasSecret(const KnownVolume& volume, const SecretRef& secret) {
  return std::ranges::any_of(volume.csi_secrets, [&](const SecretRef& known) {
    return !known.name.empty() && known.name == secret.name &&
           (known.name_space.empty() || known.name_space == secret.name_space);
  });
}

// The only volume for which `fits` holds. Null: none.
template <class Fits>
Result<const KnownVolume*> Only(const std::vector<KnownVolume>& volumes, const std::string& what,
                                Fits fits) {
  const KnownVolume* only = nullptr;
  for (const auto& volume : volumes) {
    if (!fits(volume)) continue;
    if (only != nullptr) {
      return Fail(ErrorCode::kConflict, what + " fits more than one configured volume: " +
                                            only->name + " and " + volume.name);
    }
    only = &volume;
  }
  return only;
}

Error NoVolume(const std::string& what, const SecretRef& secret, const std::string& storage_class) {
  std::string words = what + " belongs to none of the configured volumes";
  if (!secret.name.empty()) words += " (its secret is " + secret.name_space + "/" + secret.name;
  if (!storage_class.empty()) {
    words += secret.name.empty() ? " (its" : ", its";
    words += " storage class is " + storage_class;
  }
  if (!secret.name.empty() || !storage_class.empty()) words += ")";
  return Fail(ErrorCode::kNotFound, words);
}

Error NotYours(const KnownVolume& volume, std::string_view name_space, const std::string& what) {
  return Fail(ErrorCode::kPermission, "namespace " + std::string(name_space) + " may not use " +
                                          what + " of the volume " + volume.name);
}

}  // namespace

bool KnownVolume::Allows(std::string_view name_space) const {
  return allowed_namespaces.empty() || Contains(allowed_namespaces, name_space);
}

KnownVolumes::KnownVolumes(std::vector<KnownVolume> volumes) : volumes_(std::move(volumes)) {
  std::ranges::sort(volumes_, {}, &KnownVolume::name);
}

const KnownVolume* KnownVolumes::Named(std::string_view name) const {
  const auto found = std::ranges::find(volumes_, name, &KnownVolume::name);
  return found == volumes_.end() ? nullptr : &*found;
}

Result<const KnownVolume*> KnownVolumes::Of(const PersistentVolume& volume) const {
  const auto what = volume.ref.Words();
  TRY(const auto* by_handle, Only(volumes_, what, [&](const KnownVolume& known) {
        return Contains(known.volume_handles, volume.volume_handle);
      }));
  if (by_handle != nullptr) return by_handle;
  TRY(const auto* by_secret, Only(volumes_, what, [&](const KnownVolume& known) {
        return HasSecret(known, volume.node_publish_secret);
      }));
  if (by_secret != nullptr) return by_secret;
  TRY(const auto* by_class, Only(volumes_, what, [&](const KnownVolume& known) {
        return Contains(known.storage_classes, volume.storage_class);
      }));
  if (by_class != nullptr) return by_class;
  return NoVolume(what, volume.node_publish_secret, volume.storage_class);
}

Result<const KnownVolume*> KnownVolumes::Of(const StorageClass& storage) const {
  const auto what = storage.ref.Words();
  TRY(const auto* by_class, Only(volumes_, what, [&](const KnownVolume& known) {
        return Contains(known.storage_classes, storage.ref.name);
      }));
  if (by_class != nullptr) return by_class;
  TRY(const auto* by_secret, Only(volumes_, what, [&](const KnownVolume& known) {
        return HasSecret(known, storage.node_publish_secret);
      }));
  if (by_secret != nullptr) return by_secret;
  return NoVolume(what, storage.node_publish_secret, "");
}

Status MayUse(const KnownVolume& volume, std::string_view name_space,
              std::string_view storage_namespace) {
  if (!volume.Allows(name_space)) return NotYours(volume, name_space, "anything");
  if (storage_namespace == kShared) return {};
  bool allowed = true;
  if (!volume.tenants.empty()) {
    allowed = std::ranges::any_of(volume.tenants, [&](const Tenant& tenant) {
      return tenant.name_space == name_space &&
             Contains(tenant.storage_namespaces, storage_namespace);
    });
  } else if (storage_namespace != name_space) {
    allowed = !Contains(volume.allowed_namespaces, storage_namespace);
  }
  if (allowed) return {};
  return NotYours(volume, name_space, "the directory of " + Quoted(storage_namespace));
}

Status MayUsePath(const KnownVolume& volume, std::string_view name_space, std::string_view path) {
  if (!volume.Allows(name_space)) return NotYours(volume, name_space, "anything");
  const std::string_view models = volume.models_directory;
  if (IsWithin(models, path)) {
    if (volume.tenants.empty()) return {};
    return NotYours(volume, name_space,
                    Quoted("/" + std::string(path)) + ", which holds every tenant's models,");
  }
  if (!IsWithin(path, models)) return {};
  auto below = path.substr(models.empty() ? 0 : models.size() + 1);
  return MayUse(volume, name_space, below.substr(0, below.find('/')));
}

Result<std::string> BelowSubdir(const KnownVolume& volume, std::string_view path) {
  if (!IsWithin(path, volume.subdir)) {
    return Fail(ErrorCode::kPermission, Quoted("/" + std::string(path)) + " lies outside of " +
                                            Quoted("/" + volume.subdir) + ", which the volume " +
                                            volume.name + " is configured to use alone");
  }
  path.remove_prefix(volume.subdir.size());
  if (path.starts_with('/')) path.remove_prefix(1);
  return std::string(path);
}

}  // namespace prewarm::controller::bento
