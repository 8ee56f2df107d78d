#include "adapter/http/message.h"

#include "adapter/http/json.h"
#include "adapter/status.h"

namespace stoker::adapter {

HttpReply ErrorReply(int status,
                     std::string_view code,
                     std::string_view message,
                     std::string_view field) {
  Json error{{"code", code}, {"message", message}};
  if (!field.empty()) error["field"] = field;
  HttpReply reply;
  reply.status = status;
  reply.body = Dump(Json{{"error", std::move(error)}});
  return reply;
}

HttpReply ErrorReply(const Error& error, std::string_view field) {
  return ErrorReply(StatusOf(error.code).http, ErrorCodeName(error.code), error.message, field);
}

}  // namespace stoker::adapter
