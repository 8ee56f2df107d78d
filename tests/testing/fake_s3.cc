#include "tests/testing/fake_s3.h"

#include <algorithm>
#include <set>

#include "core/text.h"
#include "core/units.h"
#include "upstream/aws/sigv4.h"
#include "upstream/http/url.h"

namespace stoker::testing {
namespace {

std::string Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string HeaderOf(const HttpRequest& request, std::string_view name) {
  for (const HttpHeader& header : request.headers) {
    if (EqualsIgnoreCase(header.name, name)) return header.value;
  }
  return {};
}

/// "20130524T000000Z" to RFC 3339.
std::string Rfc3339(const std::string& t) {
  if (t.size() != 16) return "1970-01-01T00:00:00Z";
  return t.substr(0, 4) + "-" + t.substr(4, 2) + "-" + t.substr(6, 5) + ":" + t.substr(11, 2) +
         ":" + t.substr(13);
}

std::string Encode(const std::string& key) {
  std::string text = http::PercentEncode(key, /*keep_slash=*/true);
  for (std::size_t at = 0; (at = text.find("%20", at)) != std::string::npos;) {
    text.replace(at, 3, "+");
  }
  return text;
}

}  // namespace

void FakeS3::CreateBucket(const std::string& bucket) {
  const std::scoped_lock lock(mutex_);
  buckets_[bucket];
}

void FakeS3::Put(const std::string& bucket,
                 const std::string& key,
                 std::uint64_t size_bytes,
                 WallTime modified) {
  const std::scoped_lock lock(mutex_);
  buckets_[bucket][key] = "<Contents><Key>" + Encode(key) + "</Key><LastModified>" +
                          FormatTime(modified) + "</LastModified><ETag>&quot;x&quot;</ETag><Size>" +
                          std::to_string(size_bytes) +
                          "</Size><StorageClass>STANDARD</StorageClass></Contents>";
}

HttpResponse FakeS3::ErrorAnswer(int status,
                                 const std::string& code,
                                 std::vector<HttpHeader> headers) {
  return {status,
          std::move(headers),
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code +
              "</Code><Message>The details of bucket and key</Message></Error>"};
}

FakeTransport::Handler FakeS3::Handler() {
  return [this](const HttpRequest& request) -> Result<HttpResponse> { return Handle(request); };
}

int FakeS3::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

HttpResponse FakeS3::Handle(const HttpRequest& request) {
  const std::scoped_lock lock(mutex_);
  ++requests_;
  const Result<http::Url> url = http::ParseUrl(request.url);
  if (!url) return ErrorAnswer(400, "InvalidURI");

  const std::string authorization = HeaderOf(request, "authorization");
  if (authorization.find("Credential=" + credentials_.access_key_id + "/") == std::string::npos) {
    return ErrorAnswer(403, "InvalidAccessKeyId");
  }
  if (authorization.find("/" + region_ + "/s3/") == std::string::npos) {
    return ErrorAnswer(400, "AuthorizationHeaderMalformed", {{"x-amz-bucket-region", region_}});
  }
  HttpRequest again = request;
  aws::SignV4(again, credentials_, region_, "s3", At(Rfc3339(HeaderOf(request, "x-amz-date"))));
  if (HeaderOf(again, "authorization") != authorization) {
    return ErrorAnswer(403, "SignatureDoesNotMatch");
  }

  const std::size_t question = std::min(url->target.find('?'), url->target.size());
  std::string bucket = Decode(url->target.substr(1, question - 1));
  if (bucket.empty()) bucket = url->host.substr(0, url->host.find('.'));
  std::map<std::string, std::string> query;
  for (const std::string_view part :
       Split(std::string_view(url->target).substr(question + 1), '&')) {
    const std::size_t equals = part.find('=');
    query[std::string(part.substr(0, equals))] = Decode(part.substr(equals + 1));
  }
  const auto it = buckets_.find(bucket);
  if (it == buckets_.end()) return ErrorAnswer(404, "NoSuchBucket");
  return {200, {{"Content-Type", "application/xml"}}, List(it->second, query)};
}

std::string FakeS3::List(const Contents& objects,
                         const std::map<std::string, std::string>& query) const {
  const auto parameter = [&](const std::string& name) {
    const auto it = query.find(name);
    return it == query.end() ? std::string() : it->second;
  };
  const std::string prefix = parameter("prefix");
  const std::string delimiter = parameter("delimiter");
  const std::string token = parameter("continuation-token");
  const std::size_t max_keys = std::min<std::size_t>(1000, std::stoul(parameter("max-keys")));

  std::string contents;
  std::set<std::string> prefixes;
  std::size_t count = 0;
  std::string last;
  bool truncated = false;
  const auto add = [&](const std::string& key, const std::string& xml) {
    last = key;
    ++count;
    contents += xml;
  };

  if (reversed_) {
    for (auto it = objects.rbegin(); it != objects.rend(); ++it) {
      if (!it->first.starts_with(prefix) || (!token.empty() && "t" + it->first >= token)) continue;
      if (count == max_keys) {
        truncated = true;
        break;
      }
      add(it->first, it->second);
    }
  } else {
    std::string after = token.empty() ? parameter("start-after") : token.substr(1);
    auto it = after < prefix ? objects.lower_bound(prefix) : objects.upper_bound(after);
    for (; it != objects.end() && it->first.starts_with(prefix); ++it) {
      const std::size_t cut =
          delimiter.empty() ? std::string::npos : it->first.find(delimiter, prefix.size());
      const std::string rolled =
          cut == std::string::npos ? "" : it->first.substr(0, cut + delimiter.size());
      // A page that ended with this roll-up goes on behind it.
      if (!rolled.empty() && (prefixes.contains(rolled) || (!token.empty() && rolled == after))) {
        continue;
      }
      if (count == max_keys) {
        truncated = true;
        break;
      }
      if (rolled.empty()) {
        add(it->first, it->second);
      } else {
        prefixes.insert(rolled);
        last = rolled;
        ++count;
      }
    }
  }
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
      "<EncodingType>url</EncodingType><KeyCount>" +
      std::to_string(count) + "</KeyCount><MaxKeys>" + std::to_string(max_keys) +
      "</MaxKeys><IsTruncated>" + (truncated ? "true" : "false") + "</IsTruncated>";
  if (truncated) xml += "<NextContinuationToken>t" + last + "</NextContinuationToken>";
  xml += contents;
  for (const std::string& rolled : prefixes) {
    xml += "<CommonPrefixes><Prefix>" + Encode(rolled) + "</Prefix></CommonPrefixes>";
  }
  return xml + "</ListBucketResult>";
}

Result<aws::Credentials> FakeCredentials::Get(MonoTime) {
  const std::scoped_lock lock(mutex_);
  return credentials_;
}

void FakeCredentials::Invalidate() {
  const std::scoped_lock lock(mutex_);
  ++invalidations_;
  if (next_) credentials_ = *next_;
}

void FakeCredentials::set_next(aws::Credentials next) {
  const std::scoped_lock lock(mutex_);
  next_ = std::move(next);
}

int FakeCredentials::invalidations() const {
  const std::scoped_lock lock(mutex_);
  return invalidations_;
}

}  // namespace stoker::testing
