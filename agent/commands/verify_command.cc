#include "agent/commands/verify_command.h"

#include <boost/json/array.hpp>
#include <random>
#include <utility>

#include "agent/warm/block_buffer.h"
#include "agent/warm/retry_policy.h"
#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/async/task_group.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kFetchAttempts = 5;

}  // namespace

// What one coroutine of a check owns.
struct VerifyCommand::Lane {
  std::vector<std::byte> file;
  std::unique_ptr<BlockBuffer> object;
  ObjectStore* store = nullptr;
  std::mt19937_64 random{std::random_device{}()};
};

VerifyCommand::VerifyCommand(const CommandContext& context, VerifyOptions options)
    : context_(context), options_(std::move(options)) {}

Task<Result<VerifyReport>> VerifyCommand::Run() {
  const auto begin = context_.clock.Now();
  CO_TRY(session_, co_await VolumeSession::Open(context_, options_.volume, CacheUse::kRead));
  VerifyReport report;
  report.volume_name = session_->settings().name;
  report.volume_uuid = session_->settings().uuid;
  report.against_store = options_.against_store;
  CO_TRY(const auto resolved, co_await session_->Resolve({}));
  const juicefs::BlockPlan plan(resolved.files, session_->settings().block_size);
  report.files = resolved.files.size();
  report.file_bytes = resolved.bytes;
  report.planned_blocks = plan.block_count();
  CO_TRY(const auto usage,
         co_await Offload(context_.disk_pool, [this] { return session_->cache().Usage(); }));
  for (const auto& directory : usage) directory_names_.push_back(directory.path);

  if (options_.against_store) CO_TRY_STATUS(co_await session_->CheckStore());
  CO_TRY_STATUS(co_await CheckAll(plan, report));
  progress_.Clear();
  report.stopped = stopped_;
  report.seconds = std::chrono::duration<double>(context_.clock.Now() - begin).count();
  co_return report;
}

Task<Status> VerifyCommand::CheckAll(const juicefs::BlockPlan& plan, VerifyReport& report) {
  std::unique_ptr<ObjectStore> store;
  if (options_.against_store) {
    CO_TRY(store, session_->MakeStore());
  }
  std::vector<Lane> lanes(kLanes);
  TaskGroup group(context_.control);
  for (auto& lane : lanes) {
    if (store != nullptr) {
      lane.store = store.get();
      lane.object = std::make_unique<BlockBuffer>(session_->parts().codec, plan.block_size());
    }
    group.Spawn("verify", CheckSome(plan, lane, report));
  }
  co_await group.Join();
  co_return Status();
}

Task<void> VerifyCommand::CheckSome(const juicefs::BlockPlan& plan, Lane& lane,
                                    VerifyReport& report) {
  while (next_ < plan.block_count() && !stopped_) {
    const auto block = plan.At(next_++);
    Record(co_await CheckOne(block, lane, report), report);
    report.checked_blocks += 1;
    report.checked_bytes += block.size;
    const auto now = context_.clock.Now();
    const auto rate = rate_.Update(report.checked_bytes, now);
    progress_.Show({report.checked_bytes, plan.bytes(), report.findings.size(), rate}, now);
  }
}

Task<BlockReport> VerifyCommand::CheckOne(juicefs::BlockId block, Lane& lane,
                                          VerifyReport& report) {
  StoreBytes plain;
  if (lane.store != nullptr) {
    auto fetched = co_await FetchPlain(block, lane);
    if (fetched) {
      plain = lane.object->Data(block);
    } else {
      ++report.store_errors;
      if (report.errors.size() < 20) report.errors.push_back(fetched.error().message);
    }
  }
  co_return co_await Offload(
      context_.disk_pool, [&] { return VerifyBlock(session_->cache(), block, lane.file, plain); });
}

Task<Status> VerifyCommand::FetchPlain(juicefs::BlockId block, Lane& lane) {
  const auto& parts = session_->parts();
  const std::string key = parts.volume_name + "/" + juicefs::BlockKey(block, parts.hash_prefix);
  ReadRequest request;
  request.key = key;
  for (std::size_t attempt = 1;; ++attempt) {
    auto object = co_await lane.store->Read(request, lane.object->ObjectSpace(block));
    if (object) {
      auto unpacked =
          co_await Offload(context_.disk_pool, [&] { return lane.object->Unpack(block, *object); });
      if (unpacked) co_return unpacked;
      co_return std::move(unpacked).error().Within(key);
    }
    if (!IsRetryable(object.error().code) || attempt == kFetchAttempts || stopped_ ||
        !co_await SleepFor(PauseBefore(attempt, lane.random))) {
      co_return std::move(object).error().Within(key);
    }
    request.fresh_connection = true;
  }
}

void VerifyCommand::Record(BlockReport found, VerifyReport& report) {
  ++report.by_finding[static_cast<std::size_t>(found.finding)];
  if (found.Good() || report.findings.size() >= VerifyReport::kListed) return;
  report.keys.push_back(juicefs::BlockKey(found.block, session_->parts().hash_prefix));
  report.directories.push_back(directory_names_[session_->cache().DirectoryOf(found.block)]);
  report.findings.push_back(std::move(found));
}

std::uint64_t VerifyReport::Good() const {
  return by_finding[static_cast<std::size_t>(BlockFinding::kWhole)] +
         by_finding[static_cast<std::size_t>(BlockFinding::kWholeWithoutTrailer)];
}

int VerifyReport::ExitCode() const {
  if (Good() == planned_blocks && store_errors == 0) return 0;
  return Good() > 0 ? 3 : 1;
}

boost::json::object ToJson(const VerifyReport& report) {
  boost::json::object blocks{{"planned", report.planned_blocks},
                             {"checked", report.checked_blocks},
                             {"checked_bytes", report.checked_bytes},
                             {"store_errors", report.store_errors}};
  for (std::size_t i = 0; i < VerifyReport::kFindings; ++i) {
    blocks[FindingName(static_cast<BlockFinding>(i))] = report.by_finding[i];
  }
  boost::json::array findings;
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const auto& found = report.findings[i];
    findings.push_back({{"key", report.keys[i]},
                        {"directory", report.directories[i]},
                        {"finding", FindingName(found.finding)},
                        {"amount", found.amount},
                        {"detail", found.detail}});
  }
  boost::json::array errors;
  for (const auto& error : report.errors) errors.emplace_back(error);
  const char* status = report.stopped           ? "interrupted"
                       : report.ExitCode() == 0 ? "done"
                       : report.ExitCode() == 3 ? "partial"
                                                : "failed";
  return {{"status", status},
          {"volume", {{"name", report.volume_name}, {"uuid", report.volume_uuid}}},
          {"against_store", report.against_store},
          {"files", report.files},
          {"bytes", report.file_bytes},
          {"blocks", std::move(blocks)},
          {"findings", std::move(findings)},
          {"errors", std::move(errors)},
          {"seconds", report.seconds}};
}

std::string ToText(const VerifyReport& report) {
  std::string text;
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const auto& found = report.findings[i];
    text += std::string(FindingName(found.finding)) + "  " + report.directories[i] + "/raw/" +
            report.keys[i] + (found.detail.empty() ? "" : "  " + found.detail) + "\n";
  }
  for (const auto& error : report.errors) text += "! " + error + "\n";
  text += "Volume " + report.volume_name + ": " + FormatCount(report.Good()) + " of " +
          FormatCount(report.planned_blocks) + " blocks are whole";
  text += report.against_store ? " and equal the store's\n" : " (size and checksums)\n";
  for (std::size_t i = 0; i < VerifyReport::kFindings; ++i) {
    const auto finding = static_cast<BlockFinding>(i);
    if (finding == BlockFinding::kWhole || report.by_finding[i] == 0) continue;
    text +=
        "  " + std::string(FindingName(finding)) + " " + FormatCount(report.by_finding[i]) + "\n";
  }
  if (report.store_errors > 0) {
    text += "  not compared " + FormatCount(report.store_errors) + " (the store did not answer)\n";
  }
  if (report.stopped) text += "  interrupted\n";
  return text;
}

}  // namespace prewarm::agent
