#include "tests/testing/fault_proxy.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include <httplib.h>

#include "core/text.h"

namespace stoker::testing {

struct FaultProxy::Impl {
  std::shared_ptr<HttpTransport> upstream;
  std::string upstream_url;
  httplib::Server server;
  int port = 0;
  mutable std::mutex mutex;
  Plan plan = [](int) { return Fault{}; };
  int requests = 0;
  std::thread thread;

  Result<HttpResponse> PassOn(const httplib::Request& request) const {
    HttpRequest out;
    out.method = request.method;
    out.url = upstream_url + request.target;
    for (const auto& [name, value] : request.headers) {
      const bool ours = EqualsIgnoreCase(name, "connection") ||
                        EqualsIgnoreCase(name, "content-length") ||
                        EqualsIgnoreCase(name, "user-agent") || name == "REMOTE_ADDR" ||
                        name == "REMOTE_PORT" || name == "LOCAL_ADDR" || name == "LOCAL_PORT";
      if (!ours) out.headers.push_back({name, value});
    }
    out.body = request.body;
    out.deadline = std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()) +
                   std::chrono::seconds(30);
    return upstream->Send(out);
  }

  void Serve(const httplib::Request& request, httplib::Response& response) {
    Fault fault;
    {
      const std::scoped_lock lock(mutex);
      fault = plan(++requests);
    }
    std::this_thread::sleep_for(fault.delay);
    Result<HttpResponse> answer = fault.kind == Fault::Kind::kAnswer
                                      ? Result<HttpResponse>(std::move(fault.answer))
                                      : PassOn(request);
    if (!answer) {
      response.status = 502;
      response.set_content(answer.error().message, "text/plain");
      return;
    }
    response.status = answer->status;
    for (const HttpHeader& header : answer->headers) {
      const bool ours = EqualsIgnoreCase(header.name, "connection") ||
                        EqualsIgnoreCase(header.name, "content-length") ||
                        EqualsIgnoreCase(header.name, "content-type") ||
                        EqualsIgnoreCase(header.name, "transfer-encoding");
      if (!ours) response.set_header(header.name, header.value);
    }
    std::string body = std::move(answer->body);
    const std::size_t half = body.size() / 2;
    if (fault.kind == Fault::Kind::kTruncate) {
      const std::size_t whole = body.size();
      response.set_content_provider(
          whole,
          "application/xml",
          [body = std::move(body), half](std::size_t offset, std::size_t, httplib::DataSink& sink) {
            return offset == 0 && sink.write(body.data(), half) && false;
          });
      return;
    }
    if (fault.kind == Fault::Kind::kCut) body.resize(half);
    response.set_content(body, "application/xml");
  }
};

FaultProxy::FaultProxy(std::shared_ptr<HttpTransport> upstream, std::string upstream_url)
    : impl_(std::make_unique<Impl>()) {
  impl_->upstream = std::move(upstream);
  impl_->upstream_url = std::move(upstream_url);
  // A kept connection holds a thread.
  impl_->server.new_task_queue = [] { return new httplib::ThreadPool(16); };
  impl_->server.set_keep_alive_max_count(1'000'000);
  impl_->server.set_keep_alive_timeout(1);
  impl_->server.set_tcp_nodelay(true);
  const auto serve = [impl = impl_.get()](const httplib::Request& request,
                                          httplib::Response& response) {
    impl->Serve(request, response);
  };
  impl_->server.Get(".*", serve);
  impl_->server.Post(".*", serve);
  impl_->server.Put(".*", serve);
  impl_->port = impl_->server.bind_to_any_port("127.0.0.1");
  impl_->thread = std::thread([impl = impl_.get()] { impl->server.listen_after_bind(); });
  while (!impl_->server.is_running()) std::this_thread::yield();
}

FaultProxy::~FaultProxy() {
  impl_->server.stop();
  impl_->thread.join();
}

std::string FaultProxy::url() const { return "http://127.0.0.1:" + std::to_string(impl_->port); }

void FaultProxy::set_plan(Plan plan) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->plan = std::move(plan);
  impl_->requests = 0;
}

int FaultProxy::requests() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->requests;
}

}  // namespace stoker::testing
