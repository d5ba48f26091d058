#include "controller/operator/volume_object.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;
using kube::ArrayIn;
using kube::ObjectIn;
using kube::TextIn;

// As the definition has them; it may be an older one, and then anything can be here.
constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kMostListed = 1000;

// Reads the spec and keeps the first thing that is wrong.
class SpecReader {
 public:
  SpecReader(const json::object& spec, std::string own_namespace)
      : spec_(spec), own_namespace_(std::move(own_namespace)) {}

  void Into(VolumeObject& volume) {
    auto& config = volume.config;
    config.meta_url = Secret(Text(spec_, "meta"));
    volume.meta_secret = ReadRef("metaSecretRef", "metaurl");
    config.storage = Text(spec_, "storage");
    config.bucket = Text(spec_, "bucket");
    config.subdir = Directory("subdir");
    config.cache_dirs = Texts(spec_, "cacheDirs");
    const auto credentials = Text(spec_, "credentials");
    if (!credentials.empty()) config.credentials = credentials;
    volume.passphrase_secret = ReadRef("rsaPassphraseSecretRef", "passphrase");
    config.storage_classes = Texts(spec_, "storageClassNames");
    config.volume_handles = Texts(spec_, "volumeHandles");
    ReadCsiSecrets(config);
    if (spec_.contains("modelsDirectory")) config.models_directory = Directory("modelsDirectory");
    config.namespaces = Texts(spec_, "allowedNamespaces");
    ReadTenants(config);
    Check(volume);
    volume.problem = std::move(problem_);
  }

 private:
  void Refuse(std::string_view field, std::string_view what) {
    if (problem_.empty()) problem_ = "spec." + std::string(field) + " " + std::string(what);
  }

  std::string Text(const json::object& object, std::string_view name) {
    const auto text = TextIn(object, name);
    if (text.size() > kLongestText) return Refuse(name, "is longer than 4096 bytes"), "";
    return std::string(text);
  }

  std::vector<std::string> Texts(const json::object& object, std::string_view name) {
    std::vector<std::string> texts;
    ForEach(object, name, [&](const json::value& item) {
      const auto* text = item.if_string();
      if (text == nullptr) return;
      if (text->size() > kLongestText) return Refuse(name, "has an entry of over 4096 bytes");
      texts.emplace_back(text->data(), text->size());
    });
    return texts;
  }

  template <class Take>
  void ForEach(const json::object& object, std::string_view name, const Take& take) {
    const auto* list = ArrayIn(object, name);
    if (list == nullptr) return;
    if (list->size() > kMostListed) return Refuse(name, "has more than 1000 entries");
    for (const auto& item : *list) take(item);
  }

  // Relative to the volume's root, without slashes at its ends.
  std::string Directory(std::string_view name) {
    const auto text = Text(spec_, name);
    if (HasParentStep(text)) Refuse(name, "must not hold a step '..'");
    const auto first = text.find_first_not_of('/');
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of('/') - first + 1);
  }

  static bool HasParentStep(std::string_view path) {
    const auto steps = "/" + std::string(path) + "/";
    return steps.find("/../") != std::string::npos;
  }

  std::optional<SecretKeyRef> ReadRef(std::string_view name, std::string_view usual_key) {
    const auto* object = ObjectIn(spec_, name);
    if (object == nullptr) return std::nullopt;
    SecretKeyRef ref{{Text(*object, "namespace"), Text(*object, "name")}, Text(*object, "key")};
    if (ref.secret.ns.empty()) ref.secret.ns = own_namespace_;
    if (ref.key.empty()) ref.key = usual_key;
    if (ref.secret.name.empty()) Refuse(name, "has no name");
    return ref;
  }

  void ReadCsiSecrets(VolumeConfig& config) {
    ForEach(spec_, "csiSecretRefs", [&](const json::value& item) {
      const auto* object = item.if_object();
      if (object == nullptr) return;
      config.csi_secrets.emplace_back(Text(*object, "namespace"), Text(*object, "name"));
    });
  }

  void ReadTenants(VolumeConfig& config) {
    ForEach(spec_, "tenants", [&](const json::value& item) {
      const auto* object = item.if_object();
      if (object == nullptr) return;
      const auto name_space = Text(*object, "namespace");
      if (name_space.empty()) return Refuse("tenants", "has an entry without a namespace");
      config.tenants[name_space] = Texts(*object, "storageNamespaces");
    });
  }

  // What the definition demands as well.
  void Check(const VolumeObject& volume) {
    const auto& config = volume.config;
    if (config.meta_url.empty() == !volume.meta_secret) {
      Refuse("meta", "or metaSecretRef, exactly one of them, says where the metadata is");
    }
    const auto& url = config.meta_url.Reveal();
    const auto at = url.rfind('@');
    const auto scheme = url.find("://");
    const auto colon = url.find(':', scheme == std::string::npos ? 0 : scheme + 3);
    if (at != std::string::npos && colon < at) {
      Refuse("meta", "holds a password: put the URL into a Secret and name it as metaSecretRef");
    }
    if (config.credentials != "ambient" && config.credentials != "handed-over") {
      Refuse("credentials", "is neither ambient nor handed-over");
    }
    if (volume.passphrase_secret && config.credentials != "handed-over") {
      Refuse("rsaPassphraseSecretRef", "is only used with credentials: handed-over");
    }
    for (const auto& directory : config.cache_dirs) {
      if (!directory.starts_with('/')) Refuse("cacheDirs", "has an entry without a leading /");
      if (HasParentStep(directory)) Refuse("cacheDirs", "must not hold a step '..'");
    }
  }

  const json::object& spec_;
  const std::string own_namespace_;
  std::string problem_;
};

std::uint64_t Count(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return 0;
  json::error_code error;
  const auto count = value->to_number<std::uint64_t>(error);
  return error ? 0 : count;
}

VolumeStatus ReadStatus(const json::object& object) {
  VolumeStatus status;
  status.observed_generation = Count(object, "observedGeneration");
  status.uuid = TextIn(object, "uuid");
  status.format_name = TextIn(object, "formatName");
  status.block_size = static_cast<std::uint32_t>(Count(object, "blockSize"));
  status.conditions = kube::ReadConditions(object);
  return status;
}

}  // namespace

std::string SecretKeyRef::Words() const {
  return "key " + key + " of Secret " + kube::ToString(secret);
}

bool VolumeStatus::Says(const VolumeStatus& other) const {
  return observed_generation == other.observed_generation && uuid == other.uuid &&
         format_name == other.format_name && block_size == other.block_size &&
         kube::SaySame(conditions, other.conditions);
}

VolumeObject ReadVolumeObject(const json::object& object, const std::string& own_namespace) {
  VolumeObject volume;
  if (const auto* metadata = ObjectIn(object, "metadata")) {
    volume.name = TextIn(*metadata, "name");
    volume.uid = TextIn(*metadata, "uid");
    volume.resource_version = TextIn(*metadata, "resourceVersion");
    volume.generation = Count(*metadata, "generation");
  }
  if (const auto* spec = ObjectIn(object, "spec")) {
    SpecReader(*spec, own_namespace).Into(volume);
  } else {
    volume.problem = "spec is missing";
  }
  if (const auto* status = ObjectIn(object, "status")) volume.status = ReadStatus(*status);
  return volume;
}

json::object VolumeStatusObject(const VolumeStatus& status) {
  const auto text = [](const std::string& value) {
    return value.empty() ? json::value() : json::value(value);
  };
  json::object object{{"observedGeneration", static_cast<std::int64_t>(status.observed_generation)},
                      {"uuid", text(status.uuid)},
                      {"formatName", text(status.format_name)},
                      {"blockSize", nullptr},
                      {"conditions", kube::ToJson(status.conditions)}};
  if (status.block_size != 0) object["blockSize"] = status.block_size;
  return object;
}

}  // namespace prewarm::controller
