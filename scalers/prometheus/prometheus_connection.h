#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "scalers/scaler.h"
#include "upstream/http/url.h"
#include "upstream/prometheus/prometheus_client.h"

namespace stoker::scalers {

/// A connection of type `prometheus`, for the signal types that ask one.
class PrometheusConnection final : public Connection {
 public:
  static constexpr char kType[] = "prometheus";

  PrometheusConnection(std::string name,
                       ConnectionSettings settings,
                       http::Url url,
                       std::unique_ptr<prom::Client> client)
      : Connection(kType, std::move(name), std::move(settings)),
        url_(std::move(url)),
        client_(std::move(client)) {}

  [[nodiscard]] bool MatchesAddress(std::string_view address) const override;

  [[nodiscard]] prom::Client& client() const { return *client_; }

  /// The values that an instant query would have found at each slot of `span`, one element a slot.
  [[nodiscard]] Result<std::vector<std::vector<double>>> PastValues(
      const std::string& query,
      const SlotSpan& span,
      MonoTime deadline,
      const std::stop_token& stop) const;

 private:
  const http::Url url_;
  const std::unique_ptr<prom::Client> client_;
};

}  // namespace stoker::scalers
