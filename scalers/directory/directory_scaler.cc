#include "scalers/directory/directory_scaler.h"

#include <utility>

#include "scalers/object_keys.h"

namespace stoker::scalers {
namespace {

constexpr char kType[] = "directory";

struct SignalKeys {
  std::string path;
  ObjectKeys files;
};

const config::ParamTable<SignalKeys>& SignalTable() {
  static const auto kTable =
      config::ParamTable<SignalKeys>()
          .Add("path",
               &SignalKeys::path,
               {.help = "The folder; relative to where Stoker was started.",
                .required = true,
                .non_empty = true,
                .example = "/var/spool/jobs"})
          .Include(&SignalKeys::files, ObjectKeysTable("file", /*skip_empty=*/false));
  return kTable;
}

class DirectorySource final : public Source {
 public:
  DirectorySource(const FileSystem& files, SignalKeys keys)
      : files_(files), keys_(std::move(keys)) {}

  Result<Observation> Poll(const PollContext& context) override {
    const Result<std::vector<FileInfo>> entries = files_.List(keys_.path);
    if (!entries) {
      Error error = entries.error();
      if (error.code == ErrorCode::kNotFound) {
        error.message =
            "the folder " + keys_.path + " does not exist; create it: mkdir -p " + keys_.path;
      }
      return Fail(std::move(error));
    }
    std::uint64_t sum = 0;
    for (const FileInfo& entry : *entries) {
      if (entry.is_directory || entry.name.starts_with('.')) continue;
      if (!keys_.files.Counts(entry.name, entry.size_bytes, entry.modified, context.slot)) continue;
      sum += keys_.files.bytes() ? entry.size_bytes : 1;
    }
    Observation observation;
    observation.value = static_cast<double>(sum);
    observation.detail = std::to_string(entries->size()) + " entries";
    return observation;
  }

 private:
  const FileSystem& files_;
  const SignalKeys keys_;
};

void ParseSignal(const config::Node& node,
                 const SignalContext& context,
                 SignalDefinition& definition,
                 config::Diagnostics& diagnostics) {
  SignalKeys keys;
  if (!SignalTable().Read(node, keys, diagnostics)) return;
  if (!keys.files.ReadDemand(definition.demand, diagnostics)) return;
  definition.source_key = std::string(kType) + "\n" + std::to_string(keys.path.size()) + " " +
                          keys.path + "\n" + keys.files.SourceKey();
  // A folder costs nothing to look at.
  definition.timing = {.interval = std::chrono::seconds(1),
                       .timeout = std::chrono::seconds(1),
                       .max_age = std::chrono::seconds(30)};
  definition.make_source = [&files = context.deps.files, keys] {
    return std::make_unique<DirectorySource>(files, keys);
  };
}

}  // namespace

void RegisterDirectory(Registry& registry) {
  registry.Add(SignalType{.name = kType,
                          .summary = "How many files, or bytes, lie in a local folder.",
                          .status = "stable",
                          .allowed_inline = false,
                          .params = SignalTable().infos(),
                          .parse = ParseSignal});
}

}  // namespace stoker::scalers
