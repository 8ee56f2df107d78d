#pragma once

#include "scalers/scaler.h"
#include "tests/testing/fakes.h"

namespace stoker::testing {

/// A FakeWorld that scalers can be built with.
struct ScalerWorld : FakeWorld {
  scalers::PushedValues pushed;
  scalers::ScalerDeps deps{clock, random, environment, files, transports, observer, logger, pushed};
};

}  // namespace stoker::testing
