// Every regular file below some nodes, level by level: the number of round trips grows with the
// depth of the tree and with the size of its largest directory, not with the number of files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/async/task.h"
#include "common/juicefs/file_slices.h"
#include "common/metadata/path_walk.h"
#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {

struct FoundFiles {
  std::vector<juicefs::FileSlices> files;  // no segments yet; sorted by path, each inode once
  std::uint64_t skipped_symlinks = 0;
  std::uint64_t skipped_special = 0;
};

class TreeWalk {
 public:
  TreeWalk(RedisClient& redis, VolumeKeys keys);  // `redis` is connected

  // Once. kNotFound: a file among `starts` vanished meanwhile; kCorrupt names path and inode.
  // Entries of directories that lead nowhere are passed over, as the client does.
  Task<Result<FoundFiles>> Walk(std::vector<Node> starts);

 private:
  struct Scan {
    Node directory;
    std::string cursor;
  };
  // What a round of directory pages brought.
  struct Page {
    std::vector<Scan> unfinished;
    std::vector<Node> directories;
    std::vector<Node> files;
  };

  Task<Result<Page>> ScanOnce(std::vector<Scan> scans);
  Status ReadPage(Scan scan, net::RedisReply reply, Page& page);
  void Take(Node node, Page& page);
  Task<Status> AddFiles(std::vector<Node> files, bool must_exist);
  Status AddFile(Node file, const net::RedisReply& attribute, bool must_exist);

  RedisClient& redis_;
  const VolumeKeys keys_;
  FoundFiles found_;
  std::unordered_map<juicefs::Inode, std::size_t> index_;  // of files in found_
  std::unordered_set<juicefs::Inode> seen_;                // everything but files
};

}  // namespace prewarm::metadata
