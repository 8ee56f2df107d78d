#include "upstream/kubernetes/client.h"

#include <utility>

#include "core/text.h"
#include "upstream/http/observed_transport.h"
#include "upstream/http/url.h"

namespace stoker::kubernetes {
namespace {

// Where every pod finds its service account.
constexpr char kTokenFile[] = "/var/run/secrets/kubernetes.io/serviceaccount/token";
constexpr char kCaFile[] = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
constexpr std::size_t kMaxPageBytes = 16U << 20U;
constexpr char kPageSize[] = "250";  // of pods of some 10 KiB each
constexpr int kMaxPages = 100;
constexpr int kGone = 410;

/// The mend for a list of pods that was refused.
Error Refused(int status, const std::string& name_space) {
  const std::string answered = "Kubernetes answered " + std::to_string(status) + ": ";
  switch (status) {
    case 400:
      return {ErrorCode::kInvalidArgument,
              answered + "it does not understand the label selector; write it as key=value"};
    case 401:
      return {ErrorCode::kUnauthenticated,
              answered +
                  "it does not accept the service account's token; restart the pod if it "
                  "does not renew itself"};
    case 403:
      return {ErrorCode::kPermissionDenied,
              answered + "this service account may not list pods in namespace '" + name_space +
                  "'; give it a Role there with verb list on resource pods, and a RoleBinding"};
    default:
      break;
  }
  return {ErrorCode::kUnavailable, answered + "no list of pods"};
}

}  // namespace

Result<std::unique_ptr<Client>> Client::InCluster(const ClientDeps& deps) {
  const std::string host = deps.environment.Get("KUBERNETES_SERVICE_HOST").value_or("");
  const std::string port = deps.environment.Get("KUBERNETES_SERVICE_PORT").value_or("443");
  if (host.empty()) {
    return Fail(ErrorCode::kUnavailable,
                "not in a Kubernetes cluster: KUBERNETES_SERVICE_HOST is not set; run Stoker as a "
                "pod");
  }
  const bool bare_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  const std::string url = "https://" + (bare_ipv6 ? "[" + host + "]" : host) + ":" + port;
  if (!http::ParseUrl(url)) {
    return Fail(ErrorCode::kUnavailable,
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address");
  }
  Result<std::shared_ptr<HttpTransport>> transport =
      deps.transports.Create(TlsOptions{.ca_file = kCaFile, .cert_file = "", .key_file = ""});
  if (!transport) return Fail(transport.error());
  auto observed =
      std::make_shared<http::ObservedTransport>(std::move(*transport), "kubernetes", deps.observer);
  return std::unique_ptr<Client>(new Client(url, deps, std::move(observed)));
}

Client::Client(std::string url, const ClientDeps& deps, std::shared_ptr<HttpTransport> transport)
    : url_(std::move(url)),
      files_(deps.files),
      waiter_(deps.waiter),
      transport_(std::move(transport)),
      retrier_(http::RetryOptions{}, deps.clock, deps.random, *waiter_) {}

Result<std::vector<Pod>> Client::ListPods(const std::string& name_space,
                                          const std::string& label_selector,
                                          MonoTime deadline,
                                          const std::stop_token& stop) {
  const std::string target = "/api/v1/namespaces/" + http::PercentEncode(name_space) +
                             "/pods?labelSelector=" + http::PercentEncode(label_selector) +
                             "&limit=" + kPageSize;
  std::vector<Pod> pods;
  std::string next;
  for (int page = 0; page < kMaxPages; ++page) {
    const Result<HttpResponse> response = Get(
        target + (next.empty() ? "" : "&continue=" + http::PercentEncode(next)), deadline, stop);
    if (!response) return Fail(response.error());
    if (response->status == kGone && !next.empty()) {
      // The list changed too much since its first page: the server wants us to begin anew.
      pods.clear();
      next.clear();
      continue;
    }
    if (response->status != 200) return Fail(Refused(response->status, name_space));
    Result<PodPage> list = ParsePodList(response->body);
    if (!list) return Fail(list.error());
    for (Pod& pod : list->pods) pods.push_back(std::move(pod));
    if (list->next.empty()) return pods;
    next = std::move(list->next);
  }
  return Fail(ErrorCode::kResourceExhausted,
              "the label selector matches too many pods; choose one that fewer have");
}

Result<HttpResponse> Client::Get(const std::string& target,
                                 MonoTime deadline,
                                 const std::stop_token& stop) {
  Result<HttpResponse> response = retrier_.Send(*transport_, [&]() -> Result<HttpRequest> {
    const Result<std::string> token = files_.Read(kTokenFile);
    if (!token) {
      return Fail(ErrorCode::kUnavailable,
                  "no service account token: " + token.error().message +
                      "; set automountServiceAccountToken: true");
    }
    HttpRequest request;
    request.url = url_ + target;
    request.headers = {{"Accept", "application/json"},
                       {"Authorization", "Bearer " + std::string(Trim(*token))}};
    request.deadline = deadline;
    request.max_body_bytes = kMaxPageBytes;
    request.stop = stop;
    return request;
  });
  if (!response) return Fail(response.error().code, "Kubernetes: " + response.error().message);
  return response;
}

}  // namespace stoker::kubernetes
