// Any text as a kubeconfig gives an error of one line, or an API server that can be asked, and no
// credential goes over plain HTTP.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/yaml_json.h"
#include "upstream/http/url.h"
#include "upstream/kubernetes/kubeconfig.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<std::string> json = config::YamlToJson(text, "fuzz");
  if (!json) return 0;
  const Result<kubernetes::Access> access =
      kubernetes::ReadKubeconfig({{"folder/fuzz", *json}, {"other", *json}}, "");
  if (!access) {
    if (access.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  const Result<http::Url> url = http::ParseUrl(access->server + "/api");
  if (!url || access->server.ends_with('/') || access->name_space.empty()) std::abort();
  if (!url->secure() && !(access->token + access->token_file).empty()) std::abort();
  return 0;
}
