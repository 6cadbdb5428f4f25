// What is said about a mistake of the caller.
#pragma once

#include <stdexcept>
#include <string>

namespace penstock::testing {

// What `call` complains about; empty if it does not.
template <class Call>
std::string complaintOf(Call call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

}  // namespace penstock::testing
