#include "core/guarded.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace stoker {

Error Thrown(const std::exception& thrown) {
  int status = 0;
  const char* const type = typeid(thrown).name();
  const std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(type, nullptr, nullptr, &status), std::free);
  return {ErrorCode::kInternal,
          "a defect of Stoker's: " + std::string(readable ? readable.get() : type) +
              " was thrown; please report it"};
}

}  // namespace stoker
