// The calls of the API that change nothing.
#include <algorithm>
#include <utility>

#include "controller/reconcile/refusals.h"
#include "controller/reconcile/service.h"

namespace prewarm::controller {
namespace {

bool MaySee(const Caller& caller, const Volume& volume) {
  return caller.every_volume || volume.MayUse(caller.name_space);
}

// Cuts a page out of what comes in an order of its own; the token is the place to go on from.
template <class Item>
ApiResult<Page<Item>> CutPage(std::vector<Item> all, const PageRequest& page) {
  std::size_t begin = 0;
  if (!page.token.empty()) {
    const auto digits =
        std::ranges::all_of(page.token, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || page.token.size() > 9) {
      return Refuse(Invalid("page-token", "page_token", "take it from the page before"));
    }
    begin = std::min<std::size_t>(std::stoul(page.token), all.size());
  }
  const auto end = std::min(all.size(), begin + page.size);
  Page<Item> answer;
  answer.items.assign(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(begin)),
                      std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(end)));
  if (end < all.size()) answer.next_page_token = std::to_string(end);
  return answer;
}

}  // namespace

Task<ApiResult<PrewarmView>> ControllerService::Get(Caller caller, std::string id) {
  if (auto ready = Ready(); !ready) co_return Refuse(ready.error());
  if (const auto* job = JobOf(caller, id)) co_return ViewOf(job->prewarm);
  co_return co_await Forgotten(caller, id);
}

Task<ApiResult<PrewarmView>> ControllerService::Forgotten(const Caller& caller,
                                                          const std::string& id) {
  const auto found = co_await parts_.jobs.FindForgotten(id);
  if (!found) co_return Refuse(JobsAway(found.error()));
  const auto& prewarm = *found;
  // One that has not ended is being made durable, and its caller does not know of it yet.
  if (!prewarm || prewarm->name_space != caller.name_space || !IsFinal(prewarm->state)) {
    co_return Refuse(NoSuch("prewarm", id));
  }
  co_return ViewOf(*prewarm);
}

ApiResult<Page<PrewarmView>> ControllerService::List(const Caller& caller,
                                                     const PrewarmFilter& filter,
                                                     const PageRequest& page) {
  if (auto ready = Ready(); !ready) return Refuse(ready.error());
  // Newest first; the token is the age below which the next page begins, so that new ones do not
  // shift the pages.
  std::uint64_t below = ~0ULL;
  if (!page.token.empty()) {
    if (!std::ranges::all_of(page.token, [](char c) { return c >= '0' && c <= '9'; }) ||
        page.token.size() > 18) {
      return Refuse(Invalid("page-token", "page_token", "take it from the page before"));
    }
    below = std::stoull(page.token);
  }
  Page<PrewarmView> answer;
  const auto& jobs = parts_.jobs.by_age();
  for (auto at = jobs.lower_bound(below); at != jobs.begin();) {
    --at;
    const auto& prewarm = at->second->prewarm;
    const bool wanted = prewarm.name_space == caller.name_space &&
                        (filter.volume.empty() || prewarm.spec.volume == filter.volume) &&
                        (!filter.state || prewarm.state == *filter.state);
    if (!wanted) continue;
    if (answer.items.size() == page.size) {
      answer.next_page_token = std::to_string(answer.items.back().prewarm.age);
      break;
    }
    answer.items.push_back(ViewOf(prewarm));
  }
  return answer;
}

Task<ApiResult<PrewarmService::Change>> ControllerService::Watch(Caller caller, std::string id,
                                                                 std::uint64_t seen,
                                                                 Duration limit) {
  if (auto ready = Ready(); !ready) co_return Refuse(ready.error());
  auto* job = JobOf(caller, id);
  const auto end = parts_.clock.Now() + limit;
  while (job != nullptr && job->version == seen && parts_.clock.Now() < end) {
    if (!co_await job->changed.WaitFor(end - parts_.clock.Now())) break;
    job = JobOf(caller, id);
  }
  if (job != nullptr) co_return Change{ViewOf(job->prewarm), job->version};
  auto ended = co_await Forgotten(caller, id);
  if (!ended) co_return Refuse(ended.error());
  co_return Change{*std::move(ended), seen + 1};
}

ApiResult<Page<NodeView>> ControllerService::Nodes(const Caller&, const PageRequest& page) {
  if (auto ready = Ready(); !ready) return Refuse(ready.error());
  std::vector<Node> nodes = parts_.agents.Nodes();
  auto cut = CutPage(std::move(nodes), page);
  if (!cut) return Refuse(cut.error());
  Page<NodeView> answer;
  for (const auto& node : cut->items) answer.items.push_back(ViewOf(node));
  answer.next_page_token = cut->next_page_token;
  return answer;
}

ApiResult<NodeView> ControllerService::NodeNamed(const Caller&, const std::string& name) {
  if (auto ready = Ready(); !ready) return Refuse(ready.error());
  const auto* node = parts_.agents.Find(name);
  if (node == nullptr) return Refuse(NoSuch("node", name));
  return ViewOf(*node);
}

ApiResult<Page<VolumeView>> ControllerService::Volumes(const Caller& caller,
                                                       const PageRequest& page) {
  if (auto ready = Ready(); !ready) return Refuse(ready.error());
  std::vector<VolumeView> views;
  for (const auto& [name, volume] : parts_.volumes) {
    if (MaySee(caller, *volume)) views.push_back(ViewOf(*volume));
  }
  return CutPage(std::move(views), page);
}

ApiResult<VolumeView> ControllerService::VolumeNamed(const Caller& caller,
                                                     const std::string& name) {
  if (auto ready = Ready(); !ready) return Refuse(ready.error());
  const auto at = parts_.volumes.find(name);
  if (at == parts_.volumes.end() || !MaySee(caller, *at->second)) {
    return Refuse(NoSuch("volume", name));
  }
  return ViewOf(*at->second);
}

Task<ApiResult<FilesView>> ControllerService::Files(Caller caller, std::string volume,
                                                    std::string path, PageRequest page) {
  if (auto ready = Ready(); !ready) co_return Refuse(ready.error());
  const auto at = parts_.volumes.find(volume);
  if (at == parts_.volumes.end() || !MaySee(caller, *at->second)) {
    co_return Refuse(NoSuch("volume", volume));
  }
  std::vector<std::string> paths;
  if (!path.empty()) paths.push_back(std::move(path));
  const auto kept = at->second;
  auto resolved = co_await kept->Resolve(std::move(paths));
  if (!resolved) {
    auto problem = OfMetadata(resolved.error());
    for (auto& field : problem.fields) field.field = "path";
    co_return Refuse(std::move(problem));
  }
  FilesView view;
  view.total_files = resolved->files.size();
  view.total_bytes = resolved->bytes;
  auto cut = CutPage(std::move(resolved->files), page);
  if (!cut) co_return Refuse(cut.error());
  for (const auto& file : cut->items) {
    view.files.push_back(
        {file.path, file.length, static_cast<std::uint32_t>(file.segments.size())});
  }
  view.next_page_token = cut->next_page_token;
  co_return view;
}

}  // namespace prewarm::controller
