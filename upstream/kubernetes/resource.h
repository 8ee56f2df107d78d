#pragma once

#include <string>

namespace stoker::kubernetes {

/// What the API calls one object, or all of a kind.
struct Resource {
  std::string group;  ///< "" for the core group
  std::string version;
  std::string plural;      ///< "pods", "capacitybuffers"
  std::string name_space;  ///< "": of the cluster, or of all namespaces
  std::string name;        ///< "": all of the kind
};

/// The path under the server, percent-encoded, with the object's name when it has one.
std::string PathOf(const Resource& resource);

/// "capacitybuffers.autoscaling.x-k8s.io 'etl' in namespace 'spark'", for messages.
std::string Describe(const Resource& resource);

}  // namespace stoker::kubernetes
