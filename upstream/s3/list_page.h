#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace stoker::s3 {

/// One object of a bucket.
struct Object {
  std::string key;
  std::uint64_t size_bytes = 0;
  WallTime last_modified{};
};

/// One answer of ListObjectsV2.
struct Page {
  std::vector<Object> objects;
  std::vector<std::string> common_prefixes;  ///< what a delimiter rolled up
  bool truncated = false;                    ///< there is more
  std::string next_token;                    ///< where it goes on; set exactly when truncated
};

/// Reads the XML answer of ListObjectsV2, decoding keys when it says that they are URL-encoded.
/// Pure and total: anything but a whole, sound answer is kUnavailable, never a shorter list.
Result<Page> ParseListPage(std::string_view xml);

/// The <Code> of S3's error document; empty when there is none or it is no plain word.
std::string ParseErrorCode(std::string_view xml);

}  // namespace stoker::s3
