#pragma once

#include <string>
#include <string_view>

namespace stoker::aws {

/// Whether `region` has the form of a region's name ("eu-west-1"). Only such text may become part
/// of a host name.
[[nodiscard]] bool IsRegion(std::string_view region);

/// "s3.eu-west-1.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn".
[[nodiscard]] std::string ServiceHost(std::string_view service, std::string_view region);

}  // namespace stoker::aws
