#include "upstream/spark/needed_executors.h"

#include <gtest/gtest.h>

#include <string>

namespace stoker::spark {
namespace {

struct Case {
  std::string name;
  std::vector<Stage> stages;
  SlotsByProfile slots;
  double ratio;
  double executors;
  std::int64_t pending;
  std::int64_t running;
};

class NeededExecutors : public ::testing::TestWithParam<Case> {};

TEST_P(NeededExecutors, IsSparksFormula) {
  const Case& c = GetParam();
  const Need need = spark::NeededExecutors(c.stages, c.slots, c.ratio);
  EXPECT_EQ(need.executors, c.executors);
  EXPECT_EQ(need.pending, c.pending);
  EXPECT_EQ(need.running, c.running);
}

INSTANTIATE_TEST_SUITE_P(
    ,
    NeededExecutors,
    ::testing::Values(
        Case{"nothing", {}, {}, 1, 0, 0, 0},
        Case{"idle_stage", {{.tasks = 0}}, {{0, 4}}, 1, 0, 0, 0},
        Case{"rounds_up", {{.tasks = 9}}, {{0, 4}}, 1, 3, 9, 0},
        Case{"fits", {{.tasks = 8}}, {{0, 4}}, 1, 2, 8, 0},
        Case{"running_and_pending", {{.tasks = 48, .running = 8}}, {{0, 4}}, 1, 12, 40, 8},
        Case{
            "done_ones_need_none", {{.tasks = 48, .done = 40, .running = 8}}, {{0, 4}}, 1, 2, 0, 8},
        Case{"failed_ones_wait_again",  // 3 of 10 failed once, 2 of them run again
             {{.tasks = 10, .done = 7, .running = 2}},
             {{0, 1}},
             1,
             3,
             1,
             2},
        Case{"speculative_copies_run_too",  // the last task and its copy
             {{.tasks = 10, .done = 9, .running = 2}},
             {{0, 1}},
             1,
             2,
             0,
             2},
        Case{"copies_do_not_hide_what_waits",
             {{.tasks = 10, .done = 10, .running = 2}, {.tasks = 5}},
             {{0, 1}},
             1,
             7,
             5,
             2},
        Case{"stages_share_executors",
             {{.tasks = 3}, {.tasks = 3, .running = 1}},
             {{0, 4}},
             1,
             2,
             5,
             1},
        Case{"profiles_do_not",
             {{.profile = 0, .tasks = 3}, {.profile = 1, .tasks = 3}},
             {{0, 4}, {1, 2}},
             1,
             3,
             6,
             0},
        Case{"ratio", {{.tasks = 40}}, {{0, 4}}, 0.5, 5, 40, 0},
        Case{"ratio_rounds_up", {{.tasks = 41}}, {{0, 4}}, 0.5, 6, 41, 0},
        Case{"ratio_is_for_each_profile",  // ceil(0.5) + ceil(0.5)
             {{.profile = 0, .tasks = 1}, {.profile = 1, .tasks = 1}},
             {{0, 1}, {1, 1}},
             0.5,
             2,
             2,
             0},
        Case{"unknown_profile", {{.profile = 3, .tasks = 5}}, {{0, 4}}, 1, 5, 5, 0}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace stoker::spark
