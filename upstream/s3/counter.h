#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "upstream/s3/client.h"

namespace stoker::s3 {

enum class Measure { kObjects, kBytes };

struct CountRequest {
  std::string bucket;
  std::string prefix;
  std::string delimiter;  ///< only keys without it after the prefix count
  Measure measure = Measure::kObjects;
  /// Which objects count; empty: all. Called from several threads at a time.
  std::function<bool(const Object&)> counts;
  /// Stop here: the exact value beyond does not matter. Absent: count all.
  std::optional<double> enough;
  int max_requests = 1000;
};

struct Count {
  double value = 0;
  bool at_least = false;  ///< stopped at `enough` with more to come
  int requests = 0;       ///< pages asked for
};

/// Counts objects, or their bytes, under a prefix. With `enough`, page after page until it is
/// reached. Otherwise exactly: when there is more than a page, up to `parallelism` threads list
/// parts of the key space at a time, which needs the server to list in byte order, as Amazon S3
/// does (but for directory buckets); where keys come in another order, page after page.
///
/// A part that fails or is stopped fails the count: there are no partial answers.
/// kResourceExhausted when max_requests do not suffice, else the errors of Client.
Result<Count> CountObjects(Client& client,
                           const CountRequest& request,
                           MonoTime deadline,
                           const std::stop_token& stop,
                           int parallelism = 8);

}  // namespace stoker::s3
