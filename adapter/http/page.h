#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "adapter/http/json.h"
#include "adapter/http/message.h"

namespace stoker::adapter {

/// 200 with a document.
HttpReply Ok(const Json& json);

/// Which items of a list an answer holds.
struct PageRequest {
  std::size_t limit = 100;
  std::string after;  ///< the key of the last item of the page before; "" for the first page
};

/// Reads `limit` and `next`; kInvalidArgument, with the parameter at fault in `field`.
Result<PageRequest> ReadPageRequest(const std::vector<std::pair<std::string, std::string>>& query,
                                    std::string& field);

/// {"items": [...], "next": ...}; `last` is the key of the last item when there are more.
HttpReply PageReply(Json items, const std::string* last);

/// The `next` of a page whose last item has this key.
std::string NextPage(const std::string& last);

/// Views by key. Equal keys (two triggers of one object) are told apart by their number.
template <class View>
std::map<std::string, const View*> ByKey(const std::vector<View>& views,
                                         const std::function<std::string(const View&)>& key) {
  std::map<std::string, const View*> sorted;
  for (const View& view : views) {
    const std::string base = key(view);
    for (int n = 0; !sorted.try_emplace(base + '\n' + std::to_string(n), &view).second; ++n) {
    }
  }
  return sorted;
}

/// The page that `limit` and `next` of the query ask for.
template <class View>
HttpReply Page(const std::vector<std::pair<std::string, std::string>>& query,
               const std::map<std::string, const View*>& views,
               const std::function<Json(const View&)>& to_json) {
  std::string field;
  const Result<PageRequest> page = ReadPageRequest(query, field);
  if (!page) return ErrorReply(page.error(), field);
  Json items = Json::array();
  const std::string* last = nullptr;
  for (auto from = views.upper_bound(page->after); from != views.end(); ++from) {
    if (items.size() == page->limit) return PageReply(std::move(items), last);
    items.push_back(to_json(*from->second));
    last = &from->first;
  }
  return PageReply(std::move(items), nullptr);
}

}  // namespace stoker::adapter
