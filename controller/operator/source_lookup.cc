#include "controller/operator/source_lookup.h"

#include <string>
#include <utility>
#include <vector>

namespace prewarm::controller {
namespace {

bento::DirectoryEntry::Type TypeOf(juicefs::FileType type) {
  switch (type) {
    case juicefs::FileType::kFile: return bento::DirectoryEntry::Type::kFile;
    case juicefs::FileType::kDirectory: return bento::DirectoryEntry::Type::kDirectory;
    case juicefs::FileType::kSymlink: return bento::DirectoryEntry::Type::kSymlink;
    default: return bento::DirectoryEntry::Type::kOther;
  }
}

bento::Listing ToListing(metadata::DirectoryListing found) {
  using From = metadata::DirectoryListing::Kind;
  bento::Listing listing;
  listing.real_path = std::move(found.real_path);
  listing.truncated = found.truncated;
  if (found.kind == From::kAbsent) return listing;
  listing.kind =
      found.kind == From::kFile ? bento::Listing::Kind::kFile : bento::Listing::Kind::kDirectory;
  if (found.kind == From::kFile) listing.bytes = found.bytes;
  listing.entries.reserve(found.entries.size());
  for (auto& entry : found.entries) {
    bento::DirectoryEntry into{std::move(entry.name), TypeOf(entry.type), std::nullopt,
                               std::move(entry.target)};
    if (entry.type == juicefs::FileType::kFile) into.bytes = entry.bytes;
    listing.entries.push_back(std::move(into));
  }
  return listing;
}

}  // namespace

bento::KnownVolumes KnownVolumesOf(const VolumeMap& volumes) {
  std::vector<bento::KnownVolume> known;
  for (const auto& [name, volume] : volumes) {
    const auto& config = volume->config();
    bento::KnownVolume entry;
    entry.name = name;
    if (volume->descriptor()) entry.uuid = volume->descriptor()->uuid;
    entry.subdir = config.subdir;
    entry.storage_classes = config.storage_classes;
    entry.volume_handles = config.volume_handles;
    entry.allowed_namespaces = config.namespaces;
    entry.models_directory = config.models_directory;
    for (const auto& [name_space, secret] : config.csi_secrets) {
      entry.csi_secrets.push_back({name_space, secret});
    }
    for (const auto& [name_space, directories] : config.tenants) {
      entry.tenants.push_back({name_space, directories});
    }
    known.push_back(std::move(entry));
  }
  return bento::KnownVolumes(std::move(known));
}

Task<Result<bento::SourceAnswer>> LookUpSource(const VolumeMap& volumes, bento::ModelSource source,
                                               bento::FileRules rules) {
  const auto at = volumes.find(source.volume);
  if (at == volumes.end()) {
    co_return Fail(ErrorCode::kNotFound, "there is no volume " + source.volume);
  }
  const auto volume = at->second;  // kept while it is asked
  bento::SourceResolver resolver(std::move(source.candidates), std::move(rules));
  while (const auto path = resolver.Next()) {
    auto found = co_await volume->List(*path);
    if (!found && found.error().code == ErrorCode::kInvalidArgument) {
      resolver.Answer({});  // a loop, or it leads out of the volume: as good as absent
      continue;
    }
    CO_TRY(auto listing, std::move(found));
    resolver.Answer(ToListing(std::move(listing)));
  }
  co_return resolver.Outcome();
}

}  // namespace prewarm::controller
