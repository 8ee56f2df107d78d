#include "upstream/http/name_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::http {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::StartsWith;

TEST(SystemNameResolver, AddressesAreThemselvesWithoutBrackets) {
  SystemNameResolver resolver;
  EXPECT_THAT(*resolver.Resolve("127.0.0.1"), ElementsAre("127.0.0.1"));
  EXPECT_THAT(*resolver.Resolve("::1"), ElementsAre("::1"));
}

TEST(SystemNameResolver, NamesHaveTheirAddresses) {
  SystemNameResolver resolver;
  const auto addresses = resolver.Resolve("localhost");
  ASSERT_TRUE(addresses) << addresses.error().message;
  EXPECT_THAT(*addresses, Contains(::testing::AnyOf("127.0.0.1", "::1")));
}

TEST(SystemNameResolver, FailureNamesTheHost) {
  SystemNameResolver resolver;
  const std::string too_long(64, 'a');  // no name server is asked for such a label
  const auto addresses = resolver.Resolve(too_long);
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(addresses.error().message, StartsWith(too_long + ": "));
}

}  // namespace
}  // namespace stoker::http
