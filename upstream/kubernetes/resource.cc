#include "upstream/kubernetes/resource.h"

#include "upstream/http/url.h"

namespace stoker::kubernetes {

std::string PathOf(const Resource& resource) {
  std::string path =
      resource.group.empty() ? "/api" : "/apis/" + http::PercentEncode(resource.group);
  path += "/" + http::PercentEncode(resource.version);
  if (!resource.name_space.empty()) {
    path += "/namespaces/" + http::PercentEncode(resource.name_space);
  }
  path += "/" + http::PercentEncode(resource.plural);
  if (!resource.name.empty()) path += "/" + http::PercentEncode(resource.name);
  return path;
}

std::string Describe(const Resource& resource) {
  std::string text = resource.plural;
  if (!resource.group.empty()) text += "." + resource.group;
  if (!resource.name.empty()) text += " '" + resource.name + "'";
  if (!resource.name_space.empty()) text += " in namespace '" + resource.name_space + "'";
  return text;
}

}  // namespace stoker::kubernetes
