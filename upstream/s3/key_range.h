#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stoker::s3 {

/// Keys after `after` up to and including `upto`, in byte order.
struct KeyRange {
  std::string after;
  std::string upto;   ///< empty: to the end
  std::string token;  ///< continues a listing at `after`, when it has one
};

/// What a page showed of a range: its first and last key.
struct PageSpan {
  std::string_view first;
  std::string_view last;
};

/// At most `most` keys, in order, that cut what is left of `range` after a page into pieces worth
/// listing each on its own; empty when none is to be had. `prefix_size`: bytes that all keys share.
///
/// Nobody knows how the keys lie, so names are read as people and programs make them: counters,
/// dates and identifiers, in which a digit stands where other digits may stand, and a letter where
/// other letters may. A range without an end is cut where such classes end, innermost place first
/// ("job-0007" makes "job-000:", "job-00:", "job-0:", ...), since each piece is then about ten
/// times the one before; a range with an end, evenly between the characters left ("job-2...", up to
/// "job-9" makes "job-3", "job-4", ...). A wrong guess costs one request that finds nothing. Cuts
/// are ASCII, hence sound UTF-8.
std::vector<std::string> SplitPoints(const KeyRange& range,
                                     const PageSpan& page,
                                     std::size_t prefix_size,
                                     std::size_t most);

}  // namespace stoker::s3
