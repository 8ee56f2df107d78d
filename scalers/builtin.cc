#include "scalers/cron/cron_scaler.h"
#include "scalers/directory/directory_scaler.h"
#include "scalers/manual/manual_scaler.h"
#include "scalers/pods/pods_scaler.h"
#include "scalers/prometheus/prometheus_scaler.h"
#include "scalers/registry.h"
#include "scalers/s3/s3_scaler.h"
#include "scalers/spark/spark_scaler.h"

namespace stoker::scalers {

void RegisterBuiltinScalers(Registry& registry) {
  RegisterCron(registry);
  RegisterDirectory(registry);
  RegisterManual(registry);
  RegisterPods(registry);
  RegisterPrometheus(registry);
  RegisterS3(registry);
  RegisterSpark(registry);
}

}  // namespace stoker::scalers
