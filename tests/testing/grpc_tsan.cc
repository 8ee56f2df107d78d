// Compiled into every test that uses gRPC. Debian's gRPC is not instrumented, so the thread
// sanitizer does not see how it hands a call from one thread to the next, and takes its header
// templates, which are instrumented here, for racy. These patterns name such leaves only: functions
// of gRPC and protobuf that call none of ours, so that races in our handlers and reactors still
// show.
#ifdef __SANITIZE_THREAD__
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race_top:grpc::\n"
         "race_top:google::protobuf\n"
         "race_top:externalscaler::\n"
         "race:google::protobuf\n"
         "race:grpc::Status::\n"
         "race:grpc::internal::InterceptorBatchMethodsImpl\n"
         "race:grpc::internal::CallOp\n"
         "race:grpc::internal::CallbackWithSuccessTag::Set\n"
         "race:grpc::internal::CallbackWithSuccessTag::Clear\n"
         "race:grpc::internal::ServerCallbackCall::ServerCallbackCall\n"
         "race:grpc::internal::ServerCallbackCall::Unref\n";
}
#endif
