// resultOf(): the result of a system call, with its errno made part of it.
#pragma once

#include <cerrno>

namespace penstock {

template <class Result>
Result resultOf(Result result) noexcept {
  return result < 0 ? static_cast<Result>(-errno) : result;
}

}  // namespace penstock
