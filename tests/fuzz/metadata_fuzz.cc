// Any trigger metadata ("key=value" lines) through the registry: no crash, and no value in a
// message.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "core/text.h"
#include "scalers/connection_params.h"
#include "scalers/registry.h"
#include "tests/testing/scaler_world.h"

namespace {

using stoker::config::Diagnostics;
using stoker::config::Node;

struct Settings {
  stoker::scalers::ConnectionSettings common;
  std::string text;
  double number = 1;
  std::map<std::string, std::string> map;
  std::string choice;
  stoker::config::Bytes size;
  stoker::config::Percent share;
};

const stoker::config::ParamTable<Settings>& Table() {
  static const auto kTable =
      stoker::config::ParamTable<Settings>()
          .Add("text", &Settings::text, {.help = "T.", .required = true, .aliases = {"words"}})
          .Add("number", &Settings::number, {.help = "N.", .min = 0, .above_min = true})
          .Add("map", &Settings::map, {.help = "M."})
          .Add("choice", &Settings::choice, {.help = "C.", .choices = {"one", "two"}})
          .Add("size", &Settings::size, {.help = "S."})
          .Add("share", &Settings::share, {.help = "P."});
  return kTable;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A marker in front of every value: it must not be found in a message.
  constexpr std::string_view kMarker = "\x01@#";
  static const stoker::testing::ScalerWorld world;
  static const stoker::scalers::Registry registry = [] {
    stoker::scalers::Registry made;
    made.Add(stoker::scalers::SignalType{
        .name = "probe",
        .summary = "",
        .status = "stable",
        .allowed_inline = true,
        .connection_type = "",
        .params = Table().infos(),
        .parse =
            [](const Node& node,
               const stoker::scalers::SignalContext&,
               stoker::scalers::SignalDefinition&,
               Diagnostics& diagnostics) {
              Settings settings;
              Table().Read(node, settings, diagnostics);
            },
    });
    return made;
  }();
  const stoker::scalers::ConnectionSet connections;
  const stoker::scalers::SignalContext context{connections, "ns", true, world.deps};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool marked : {false, true}) {
    std::map<std::string, std::string> metadata;
    for (const std::string_view line : stoker::Split(text, '\n')) {
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string key(line.substr(0, equals));
      const bool mark = marked && key != "type";
      metadata[key] = (mark ? std::string(kMarker) : "").append(line.substr(equals + 1));
    }
    Diagnostics diagnostics;
    const auto definition =
        registry.ParseSignal(Node::FromMetadata(metadata), context, diagnostics);
    if (definition.has_value() != diagnostics.empty()) std::abort();
    // Keys may be made of anything; a key that holds the marker proves nothing.
    if (text.find(kMarker) == std::string_view::npos &&
        diagnostics.ToString().find(kMarker) != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
