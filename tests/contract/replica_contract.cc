#include "tests/contract/replica_contract.h"

namespace stoker::testing {

void ReplicaContract::ExpectBoth(double value, double floor, int slots) {
  std::optional<double> first;
  std::optional<double> second;
  bool agree = false;
  for (int i = 0; i <= slots * rig_->waits_per_slot() && !agree; ++i) {
    if (i > 0) rig_->Wait();
    first = rig_->Ask(0);
    second = rig_->Ask(1);
    for (const std::optional<double>& answer : {first, second}) {
      EXPECT_GE(answer.value_or(floor), floor);
    }
    agree = first == value && second == value;
  }
  ASSERT_TRUE(agree) << "want " << value << ", one says " << first.value_or(-1) << ", the other "
                     << second.value_or(-1);
  for (int i = 0; i < 2 * rig_->waits_per_slot(); ++i) {
    ASSERT_EQ(rig_->Ask(i % 2), value) << "replica " << i % 2 << ", " << i << " waits later";
    rig_->Wait();
  }
}

TEST_P(ReplicaContract, GiveOneAnswer) {
  rig_->SetDemand(7);
  rig_->Configure({});
  ExpectBoth(7, 7);
  rig_->SetDemand(12);
  ExpectBoth(12, 7);
  rig_->SetDemand(3);
  ExpectBoth(3, 3);
}

TEST_P(ReplicaContract, WhoCannotReadAnswersFromWhatTheOtherReads) {
  rig_->SetDemand(10);
  rig_->Configure({});
  ExpectBoth(10, 10);
  rig_->SetFault(0, true);
  rig_->SetDemand(20);
  ExpectBoth(20, 10);
  rig_->SetDemand(4);
  ExpectBoth(4, 4);
  rig_->SetFault(0, false);
  rig_->SetFault(1, true);
  rig_->SetDemand(6);
  ExpectBoth(6, 4);
}

TEST_P(ReplicaContract, HoldTheSameWhenNeitherCanRead) {
  rig_->SetDemand(10);
  rig_->Configure({});
  ExpectBoth(10, 10);
  rig_->SetFault(0, true);
  rig_->SetFault(1, true);
  ExpectBoth(10, 10);
  rig_->Restart(1);
  ExpectBoth(10, 10);
}

TEST_P(ReplicaContract, ARestartForgetsNothing) {
  rig_->SetDemand(40);
  rig_->Configure({.stabilization_slots = 24});
  ExpectBoth(40, 40);
  rig_->SetDemand(4);
  ExpectBoth(40, 40);
  rig_->Restart(0);
  ExpectBoth(40, 40, 0);
  rig_->Restart(1);
  ExpectBoth(40, 40, 0);
  ExpectBoth(4, 4, 40);
}

TEST_P(ReplicaContract, AgreeAcrossAReload) {
  rig_->SetDemand(40);
  rig_->Configure({});
  ExpectBoth(40, 40);
  rig_->Configure({.target_size = 2});
  ExpectBoth(20, 20);
  rig_->SetFault(1, true);
  rig_->Configure({.target_size = 4});
  ExpectBoth(10, 10);
}

TEST_P(ReplicaContract, AnOrderAtOneIsKnownToBoth) {
  rig_->SetDemand(1);
  rig_->Configure({.manual = true});
  rig_->Order(1, 8);
  ExpectBoth(8, 1);
  rig_->Restart(0);
  ExpectBoth(8, 8, 0);
  rig_->Order(0, 30);
  ExpectBoth(30, 8);
}

}  // namespace stoker::testing
