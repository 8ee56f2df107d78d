#pragma once

#include <map>
#include <string>
#include <string_view>
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

/// What files were parsed to, so that loading them again parses only those whose text changed. One
/// thread at a time.
struct ParsedFiles {
  struct File {
    std::string text;
    Node root;  ///< as merging takes it
  };
  std::map<std::string, File> files;  ///< by path; only those without a mistake
};

/// The files that LoadDocument reads for `paths`, in its order. Fails when a path cannot be looked
/// at.
Result<std::vector<std::string>> ListConfigFiles(const std::vector<std::string>& paths,
                                                 const FileSystem& files);

/// Reads configuration files and folders (a folder's *.yaml and *.yml, in name order, no deeper;
/// names that start with a dot are skipped, which covers a ConfigMap's ..data), merges their maps
/// (the same leaf or the same policy twice is an error that names both places) and applies
/// environment overrides:
///
/// STOKER_SERVER__GRPC__LISTEN=0.0.0.0:7000 sets server.grpc.listen. `__` separates keys; a key
/// matches an existing one without regard to case, `_` and `-`, else MAX_AGE becomes maxAge. Only
/// scalars can be set. Names without `__` (STOKER_CONFIG, STOKER_LOG_LEVEL) are not overrides.
///
/// All mistakes of all files are collected; any makes the load fail. `parsed`, if not null, is what
/// the last load left there, and is brought up to date.
Result<Document> LoadDocument(const std::vector<std::string>& paths,
                              const FileSystem& files,
                              const Environment& environment,
                              Diagnostics& diagnostics,
                              ParsedFiles* parsed = nullptr);

/// The same for one text in memory; `source` names it in messages.
Result<Document> ParseDocument(std::string_view text,
                               const std::string& source,
                               const Environment& environment,
                               Diagnostics& diagnostics);

}  // namespace stoker::config
