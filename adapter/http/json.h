#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "adapter/decisions.h"
#include "core/result.h"

namespace stoker::adapter {

/// JSON in the order of writing. Included by adapter/http only.
using Json = nlohmann::ordered_json;

/// The text of a document. Bytes that are no UTF-8 become U+FFFD; never throws.
std::string Dump(const Json& json);

/// The object that a request's body is; kInvalidArgument when it is none. Never throws.
Result<Json> ParseObject(const std::string& body);

/// A decision as the API shows it: snake_case, units in names, null for what is not known.
/// `inline_object` withholds what could repeat a value of the trigger's metadata. The headline is
/// the target and its summary; the explanation adds the way there and the signals.
Json DecisionHeadline(const policy::Policy& policy,
                      const policy::Decision& decision,
                      bool inline_object);
Json DecisionExplanation(const policy::Policy& policy,
                         const policy::Decision& decision,
                         bool inline_object);

/// What one signal contributed.
Json SignalJson(const policy::SignalDecision& signal, bool inline_object);

/// A policy's numbers. Never a query; of an inline object not its expression either.
Json DefinitionJson(const policy::Policy& policy, bool inline_object);

}  // namespace stoker::adapter
