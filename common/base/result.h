// Result<T>: a value or an Error; the one way in which our functions fail. Exceptions come only
// from libraries and are caught in the edge function that calls the library.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "common/base/error.h"

namespace prewarm {

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using Base = tl::expected<T, Error>;
  using Base::Base;
  Result(Base base) : Base(std::move(base)) {}  // NOLINT: monadic calls return Base
  Result(Error error) : Base(tl::unexpect, std::move(error)) {}  // NOLINT: `return Error{…}`
};

using Status = Result<void>;

inline Error Fail(ErrorCode code, std::string message, Reason reason = Reason::kUnspecified) {
  return Error{code, std::move(message), reason};
}

}  // namespace prewarm

#define PREWARM_CONCAT_(a, b) a##b
#define PREWARM_CONCAT(a, b) PREWARM_CONCAT_(a, b)

// Statements, not expressions: TRY(auto x, Call()); TRY_STATUS(Call()); and the CO_ forms inside
// coroutines. `decl` must not contain a comma outside parentheses.
#define PREWARM_TRY_(decl, expr, name, ret)                 \
  auto name = (expr);                                       \
  if (!name) ret ::prewarm::Error(std::move(name).error()); \
  decl = *std::move(name)
#define PREWARM_TRY_STATUS_(expr, name, ret) \
  if (auto name = (expr); !name) ret ::prewarm::Error(std::move(name).error())

#define TRY(decl, expr) PREWARM_TRY_(decl, expr, PREWARM_CONCAT(try_result_, __LINE__), return)
#define CO_TRY(decl, expr) \
  PREWARM_TRY_(decl, expr, PREWARM_CONCAT(try_result_, __LINE__), co_return)
#define TRY_STATUS(expr) PREWARM_TRY_STATUS_(expr, PREWARM_CONCAT(try_status_, __LINE__), return)
#define CO_TRY_STATUS(expr) \
  PREWARM_TRY_STATUS_(expr, PREWARM_CONCAT(try_status_, __LINE__), co_return)
