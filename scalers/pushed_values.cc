#include "scalers/pushed_values.h"

#include <tuple>

namespace stoker::scalers {

bool PushedValues::Set(const std::string& name, const PushedValue& value) {
  const std::scoped_lock lock(mutex_);
  const auto [found, is_new] = values_.try_emplace(name, value);
  if (is_new) return true;
  PushedValue& held = found->second;
  if (std::tie(value.time, value.value) <= std::tie(held.time, held.value)) return false;
  held = value;
  return true;
}

std::optional<PushedValue> PushedValues::Get(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

std::map<std::string, PushedValue> PushedValues::All() const {
  const std::scoped_lock lock(mutex_);
  return values_;
}

}  // namespace stoker::scalers
