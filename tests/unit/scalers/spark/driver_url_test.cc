#include "scalers/spark/driver_url.h"

#include <gtest/gtest.h>

namespace stoker::scalers {
namespace {

std::string For(const std::string& url,
                const std::string& name_space,
                const std::string& application) {
  const auto parsed = DriverUrl::Parse(url);
  if (!parsed) return "bad: " + parsed.error().message;
  const auto made = parsed->For(name_space, application);
  return made ? *made : "refused";
}

TEST(DriverUrl, FillsItsPlaceholders) {
  EXPECT_EQ(For("http://{application}-ui-svc.{namespace}.svc:4040", "data", "etl"),
            "http://etl-ui-svc.data.svc:4040");
  EXPECT_EQ(For("https://proxy/{namespace}/{application}/", "data", "etl"),
            "https://proxy/data/etl");
  EXPECT_EQ(For("http://localhost:4040/", "", ""), "http://localhost:4040");
  EXPECT_EQ(For("http://{application}.{application}:4040", "", "a"), "http://a.a:4040");
}

TEST(DriverUrl, TellsWhatItNeeds) {
  EXPECT_TRUE(DriverUrl::Parse("http://{application}.svc")->needs_application());
  EXPECT_FALSE(DriverUrl::Parse("http://{application}.svc")->needs_namespace());
  EXPECT_TRUE(DriverUrl::Parse("http://driver.{namespace}.svc")->needs_namespace());
  EXPECT_FALSE(DriverUrl::Parse("http://driver.{namespace}.svc")->needs_application());
}

TEST(DriverUrl, LetsNobodyLeadElsewhere) {
  const std::string url = "http://{application}.{namespace}.svc:4040";
  for (const char* bad : {"",
                          "evil.com/",
                          "evil.com",
                          "a@evil",
                          "a:80",
                          "a/b",
                          "a?b",
                          "a#b",
                          "a%2e",
                          "{namespace}",
                          "-a",
                          "a-",
                          "A",
                          "a b",
                          "a\n",
                          "\xc3\xa9"}) {
    EXPECT_EQ(For(url, "data", bad), "refused") << bad;
    EXPECT_EQ(For(url, bad, "etl"), "refused") << bad;
  }
  EXPECT_EQ(For(url, "data", std::string(64, 'a')), "refused");
  EXPECT_EQ(For(url, "data", std::string(63, 'a')).size(), url.size() - 24 + 4 + 63);
}

TEST(DriverUrl, RefusesNamesThatCannotExist) {
  EXPECT_EQ(For("http://{application}-ui-svc:4040", "", std::string(57, 'a')), "refused");
  EXPECT_NE(For("http://{application}-ui-svc:4040", "", std::string(56, 'a')), "refused");
}

TEST(DriverUrl, RefusesWhatIsNoUrl) {
  for (const char* bad : {"",
                          "driver:4040",
                          "ftp://driver",
                          "http://user@driver",
                          "http://driver:{application}",
                          "http://driver/{name}",
                          "http://driver/{application",
                          "http://driver/?app={application}"}) {
    EXPECT_FALSE(DriverUrl::Parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace stoker::scalers
