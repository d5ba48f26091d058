// The fields of one Kubernetes object, taken by name and by type. The first wrong one is kept with
// its path and refuses the object; from then on everything reads as absent. Paths are only made
// when something is wrong, because tens of thousands of objects are right. Pure.
#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/demand/labels.h"
#include "controller/demand/quantity.h"

namespace prewarm::controller::demand {

// Entries of one list or map; far more than the API server lets through.
inline constexpr std::size_t kMaxListed = 10'000;

class Fields {
 public:
  // `problem` and the object outlive this and what comes from it.
  Fields(const boost::json::object& object, std::string& problem)
      : object_(&object), problem_(&problem) {}

  // Absent and null are the same: Kubernetes writes both.
  [[nodiscard]] bool Has(std::string_view name) const { return Find(name) != nullptr; }
  [[nodiscard]] std::string_view Text(std::string_view name) const;  // absent: empty
  // Of what is quoted when it is wrong: a time, an amount. A long text is none.
  [[nodiscard]] std::string_view ShortText(std::string_view name) const;
  [[nodiscard]] bool Flag(std::string_view name, bool otherwise = false) const;
  [[nodiscard]] std::optional<std::int64_t> Integer(std::string_view name) const;
  // Within 32 bits and not negative, as counts of replicas are.
  [[nodiscard]] std::int32_t Count(std::string_view name, std::int32_t otherwise) const;
  [[nodiscard]] std::optional<double> Number(std::string_view name) const;
  [[nodiscard]] std::optional<WallTime> Time(std::string_view name) const;
  [[nodiscard]] std::optional<Quantity> Amount(std::string_view name) const;  // int or string
  [[nodiscard]] std::vector<std::string> Texts(std::string_view name) const;
  [[nodiscard]] Labels LabelMap(std::string_view name) const;
  // An absent object reads as an empty one.
  [[nodiscard]] Fields Object(std::string_view name) const;
  // The objects of a list; calls `take(Fields)`.
  template <class Take>
  void ForEach(std::string_view name, Take take) const {
    const auto* list = List(name);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->size() && problem_->empty(); ++i) {
      if (const auto* object = EntryOf(*list, i, name)) take(Fields(*object, *this, {name, i}));
    }
  }
  // The entries of a map of quantities; calls `take(name, Quantity)`.
  template <class Take>
  void ForEachAmount(std::string_view name, Take take) const {
    const auto amounts = Object(name);
    CheckSize(name, amounts.object_->size());
    for (const auto& entry : *amounts.object_) {
      const std::string_view key(entry.key().data(), entry.key().size());
      if (const auto amount = amounts.Amount(key)) take(key, *amount);
    }
  }

  // What is wrong with a field that only its reader understands.
  void Refuse(std::string_view name, std::string_view what) const;

 private:
  static constexpr std::size_t kNoIndex = ~std::size_t{0};
  // From the object that was read first to this one.
  struct Step {
    std::string_view name;
    std::size_t index = kNoIndex;  // in a list
  };
  Fields(const boost::json::object& object, const Fields& parent, Step step);

  [[nodiscard]] const boost::json::value* Find(std::string_view name) const;
  [[nodiscard]] const boost::json::array* List(std::string_view name) const;
  [[nodiscard]] const boost::json::object* EntryOf(const boost::json::array& list,
                                                   std::size_t index, std::string_view name) const;
  bool CheckSize(std::string_view name, std::size_t size) const;
  void Mismatch(std::string_view name, std::string_view expected,
                const boost::json::value& value) const;

  const boost::json::object* object_;
  std::string* problem_;
  std::array<Step, 8> path_{};  // nothing that is read lies deeper
  std::size_t depth_ = 0;
};

// Reads one object with `read(Fields) -> T`; what is wrong is told with "<kind>
// <namespace>/<name>".
template <class Read>
auto ReadObject(std::string_view kind, const boost::json::object& object, Read read)
    -> Result<decltype(read(std::declval<const Fields&>()))> {
  std::string problem;
  const Fields fields(object, problem);
  auto value = read(fields);
  if (problem.empty()) return value;
  std::string ignored;
  const Fields metadata = Fields(object, ignored).Object("metadata");
  std::string what(kind);
  if (const auto name_space = metadata.Text("namespace"); !name_space.empty()) {
    what += " " + std::string(name_space.substr(0, 253)) + "/";
  } else {
    what += " ";
  }
  what += std::string(metadata.Text("name").substr(0, 253));
  return Fail(ErrorCode::kInvalidArgument, what + ": " + problem);
}

}  // namespace prewarm::controller::demand
