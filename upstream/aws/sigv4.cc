#include "upstream/aws/sigv4.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "core/text.h"
#include "upstream/http/url.h"

namespace stoker::aws {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Hex(const Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size() * 2);
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

std::string Sha256Hex(std::string_view text) {
  Digest digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return Hex(digest);
}

Digest Hmac(const void* key, std::size_t key_size, std::string_view text) {
  Digest digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(),
       key,
       static_cast<int>(key_size),
       Bytes(text),
       text.size(),
       digest.data(),
       &size);
  return digest;
}

Digest Hmac(const Digest& key, std::string_view text) { return Hmac(key.data(), key.size(), text); }

/// "20130524T000000Z"
std::string BasicTime(WallTime now) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(now - day)};
  std::array<char, 40> text{};
  std::snprintf(text.data(),
                text.size(),
                "%04d%02u%02uT%02d%02d%02dZ",
                static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text.data();
}

std::string CanonicalQuery(std::string_view query) {
  if (query.empty()) return {};
  std::vector<std::pair<std::string_view, std::string_view>> parameters;
  for (const std::string_view part : Split(query, '&')) {
    const std::size_t equals = std::min(part.find('='), part.size());
    parameters.emplace_back(part.substr(0, equals), part.substr(std::min(equals + 1, part.size())));
  }
  std::ranges::sort(parameters);
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(value);
  }
  return text;
}

/// Trimmed, with inner runs of blanks as one.
std::string CanonicalValue(std::string_view value) {
  std::string text;
  for (const char c : Trim(value)) {
    if (c != ' ' || !text.ends_with(' ')) text += c;
  }
  return text;
}

void SetHeader(HttpRequest& request, const std::string& name, std::string value) {
  std::erase_if(request.headers,
                [&](const HttpHeader& header) { return EqualsIgnoreCase(header.name, name); });
  if (!value.empty()) request.headers.push_back({name, std::move(value)});
}

}  // namespace

void SignV4(HttpRequest& request,
            const Credentials& credentials,
            const std::string& region,
            const std::string& service,
            WallTime now) {
  const Result<http::Url> url = http::ParseUrl(request.url);
  if (!url) return;
  const bool s3 = service == "s3";
  const std::string time = BasicTime(now);
  const std::string body_hash = Sha256Hex(request.body);
  SetHeader(request, "authorization", "");
  SetHeader(request, "x-amz-date", time);
  SetHeader(request, "x-amz-security-token", credentials.session_token);
  if (s3) SetHeader(request, "x-amz-content-sha256", body_hash);

  std::map<std::string, std::string> headers{{"host", url->Authority()}};
  for (const HttpHeader& header : request.headers) {
    const auto [it, added] =
        headers.try_emplace(ToLower(header.name), CanonicalValue(header.value));
    if (added) continue;
    if (it->first == "host") {
      it->second = CanonicalValue(header.value);
    } else {
      it->second += "," + CanonicalValue(header.value);
    }
  }
  std::string canonical_headers;
  std::string signed_headers;
  for (const auto& [name, value] : headers) {
    canonical_headers += name + ":" + value + "\n";
    signed_headers += (signed_headers.empty() ? "" : ";") + name;
  }

  const std::size_t path_end = std::min(url->target.find('?'), url->target.size());
  const std::string path = url->target.substr(0, path_end);
  const std::string_view query =
      std::string_view(url->target).substr(std::min(path_end + 1, url->target.size()));
  // Every service but S3 wants the path encoded once more than it is sent.
  const std::string canonical_request =
      request.method + "\n" + (s3 ? path : http::PercentEncode(path, /*keep_slash=*/true)) + "\n" +
      CanonicalQuery(query) + "\n" + canonical_headers + "\n" + signed_headers + "\n" + body_hash;

  const std::string date = time.substr(0, 8);
  const std::string scope = date + "/" + region + "/" + service + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + Sha256Hex(canonical_request);
  const std::string secret = "AWS4" + credentials.secret_access_key;
  Digest key = Hmac(secret.data(), secret.size(), date);
  for (const std::string_view part :
       {std::string_view(region), std::string_view(service), std::string_view("aws4_request")}) {
    key = Hmac(key, part);
  }
  SetHeader(request,
            "authorization",
            "AWS4-HMAC-SHA256 Credential=" + credentials.access_key_id + "/" + scope +
                ", SignedHeaders=" + signed_headers + ", Signature=" + Hex(Hmac(key, to_sign)));
}

}  // namespace stoker::aws
