#pragma once

#include <string>
#include <vector>

#include "config/node.h"
#include "core/environment.h"
#include "core/result.h"

namespace stoker::config {

/// The skeleton of a `stoker/v1` configuration: the sections, not yet what they mean. Knows no
/// scaler's keys; adapter/ hands each section to who does.
struct Document {
  Node server;       ///< null when absent, likewise the others
  Node connections;  ///< type -> name -> settings
  Node policies;     ///< name -> policy
  Node history;
  Node capacity;
};

/// Reads configuration files and folders (a folder's *.yaml and *.yml, in name order, no deeper; names
/// that start with a dot are skipped, which covers a ConfigMap's ..data), merges their maps (the same
/// leaf twice is an error that names both places) and applies environment overrides:
///
/// STOKER_SERVER__GRPC__LISTEN=0.0.0.0:7000 sets server.grpc.listen. `__` separates keys; a key matches
/// an existing one without regard to case and `_`, else MAX_AGE becomes maxAge. Only scalars can be set.
/// Names without `__` (STOKER_CONFIG, STOKER_LOG_LEVEL) are not overrides.
///
/// All mistakes of all files are collected; any makes the load fail.
Result<Document> LoadDocument(const std::vector<std::string>& paths, const FileSystem& files,
                              const Environment& environment, Diagnostics& diagnostics);

}  // namespace stoker::config
