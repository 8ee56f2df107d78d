#include "adapter/http/peers_api.h"

#include <string_view>
#include <utility>

namespace stoker::adapter {
namespace {

using Take = Result<std::string> (Peers::*)(std::string_view);

HttpReply Serve(Peers* peers, Take take, const ApiCall& call) {
  if (peers == nullptr) {
    return ErrorReply(Error{ErrorCode::kNotFound,
                            "this replica has no siblings; set server.peers in all of them"});
  }
  Result<std::string> answer = (peers->*take)(call.request.body.value_or(""));
  if (!answer) return ErrorReply(answer.error());
  HttpReply reply;
  reply.body = std::move(*answer);
  return reply;
}

}  // namespace

void AddPeerRoutes(Api& api, Peers* peers) {
  const auto add = [&](std::string_view path, Take take) {
    api.Add({"POST", path, ApiRoute::Access::kToken, [peers, take](const ApiCall& call) {
               return Serve(peers, take, call);
             }});
  };
  add(Peers::kReadingsPath, &Peers::TakeReadings);
  add(Peers::kWindowsPath, &Peers::GiveWindows);
}

}  // namespace stoker::adapter
