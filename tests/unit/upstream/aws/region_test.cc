#include "upstream/aws/region.h"

#include <gtest/gtest.h>

namespace stoker::aws {
namespace {

TEST(Region, AcceptsOnlyWhatMayStandInAHostName) {
  for (const char* good : {"us-east-1", "cn-north-1", "us-gov-west-1", "garage"}) {
    EXPECT_TRUE(IsRegion(good)) << good;
  }
  for (const char* bad : {"",
                          "us-east-1.evil.example",
                          "us/east",
                          "US-EAST-1",
                          "-us",
                          "us-",
                          "us east",
                          "us@x",
                          "1us"}) {
    EXPECT_FALSE(IsRegion(bad)) << bad;
  }
  EXPECT_FALSE(IsRegion(std::string(41, 'a')));
}

TEST(Region, BuildsHostsOfBothPartitions) {
  EXPECT_EQ(ServiceHost("s3", "eu-west-1"), "s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(ServiceHost("sts", "cn-north-1"), "sts.cn-north-1.amazonaws.com.cn");
}

}  // namespace
}  // namespace stoker::aws
