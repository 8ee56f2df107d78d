#include "upstream/http/name_resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <set>

namespace stoker::http {

Result<std::vector<std::string>> SystemNameResolver::Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &raw);
  if (error != 0) {
    return Fail(ErrorCode::kUnavailable, host + ": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(raw, &freeaddrinfo);
  std::set<std::string> found;
  for (const addrinfo* item = list.get(); item != nullptr; item = item->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(item->ai_addr,
                    item->ai_addrlen,
                    text.data(),
                    text.size(),
                    nullptr,
                    0,
                    NI_NUMERICHOST) == 0) {
      found.insert(text.data());
    }
  }
  return std::vector<std::string>(found.begin(), found.end());
}

}  // namespace stoker::http
