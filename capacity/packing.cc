#include "capacity/packing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "rightsizing/packing.h"

namespace stoker::capacity {
namespace {

using rightsizing::Resources;

constexpr std::int64_t kExactPods = 10'000;
constexpr std::size_t kSizesInEveryOrder = 4;
constexpr std::int64_t kTableStates = 1000;
constexpr std::size_t kMaxPatterns = 200;  ///< of an offer
/// Between plans of one price the one with fewer nodes is better.
constexpr double kNodeWeight = 1e-9;

/// Equal nodes with equal pods on them.
struct OpenNodes {
  std::size_t offer = 0;
  std::int64_t count = 0;
  Resources taken;
  std::int64_t pods = 0;
};

/// How many pods of one size fit beside what is there.
std::int64_t Fit(const Resources& pod, const NodeOffer& offer, const OpenNodes& there = {}) {
  return std::min(rightsizing::FitPods(pod, offer.allocatable, there.taken).pods,
                  offer.max_pods - there.pods);
}

void Put(OpenNodes& nodes, const Resources& pod, std::int64_t each) {
  nodes.taken.cpu_millis += pod.cpu_millis * each;
  nodes.taken.memory_bytes += pod.memory_bytes * each;
  nodes.taken.ephemeral_bytes += pod.ephemeral_bytes * each;
  nodes.pods += each;
}

/// So many nodes of an offer, to take or to leave as a whole.
struct Bundle {
  std::size_t offer = 0;
  std::int64_t nodes = 0;
  std::int64_t pods = 0;
  double cost = 0;
};

/// Nodes of each offer, together cheapest, that hold at least `pods`, which they can.
std::vector<std::int64_t> Cover(std::int64_t pods,
                                const std::vector<std::int64_t>& fits,
                                const std::vector<std::int64_t>& limits,
                                const std::vector<double>& costs) {
  std::vector<std::int64_t> chosen(fits.size());
  // 1, 2, 4, ... and the rest: every number up to the limit is a sum of these.
  std::vector<Bundle> bundles;
  for (std::size_t i = 0; i < fits.size(); ++i) {
    if (fits[i] <= 0) continue;
    std::int64_t left = std::min(limits[i], (pods + fits[i] - 1) / fits[i]);
    for (std::int64_t size = 1; left > 0; size *= 2) {
      const std::int64_t nodes = std::min(size, left);
      left -= nodes;
      bundles.push_back({i, nodes, nodes * fits[i], costs[i] * static_cast<double>(nodes)});
    }
  }
  const auto states = static_cast<std::size_t>(pods) + 1;
  std::vector<double> best(states, std::numeric_limits<double>::infinity());
  best[0] = 0;
  std::vector<bool> taken(bundles.size() * states);
  for (std::size_t b = 0; b < bundles.size(); ++b) {
    for (std::size_t need = states - 1; need > 0; --need) {
      const auto held = static_cast<std::size_t>(bundles[b].pods);
      const double with = best[need > held ? need - held : 0] + bundles[b].cost;
      if (with >= best[need]) continue;
      best[need] = with;
      taken[b * states + need] = true;
    }
  }
  auto need = static_cast<std::size_t>(pods);
  for (std::size_t b = bundles.size(); b-- > 0;) {
    if (!taken[b * states + need]) continue;
    chosen[bundles[b].offer] += bundles[b].nodes;
    const auto held = static_cast<std::size_t>(bundles[b].pods);
    need = need > held ? need - held : 0;
  }
  return chosen;
}

class Packer {
 public:
  Packer(const std::vector<NodeOffer>& offers, const std::vector<double>& costs)
      : offers_(offers), costs_(costs), used_(offers.size()) {}

  /// Returns the pods without a place.
  std::int64_t Place(const PodDemand& demand) {
    std::int64_t left = demand.count;
    const std::size_t open = nodes_.size();  // Fill may add groups behind
    for (std::size_t i = 0; i < open && left > 0; ++i) Fill(i, demand.requests, left);
    if (left > 0) Open(demand.requests, left);
    return left;
  }

  [[nodiscard]] const std::vector<std::int64_t>& used() const { return used_; }

 private:
  /// Puts what fits on the nodes of group `at`, splitting it where not all get the same.
  void Fill(std::size_t at, const Resources& pod, std::int64_t& left) {
    const std::int64_t fit = Fit(pod, offers_[nodes_[at].offer], nodes_[at]);
    if (fit <= 0) return;
    const auto split = [&](std::int64_t count, std::int64_t each) {
      if (count == 0 || each == 0) return;
      OpenNodes part = nodes_[at];
      part.count = count;
      Put(part, pod, each);
      nodes_[at].count -= count;
      left -= count * each;
      nodes_.push_back(part);
    };
    split(std::min(nodes_[at].count, left / fit), fit);
    if (nodes_[at].count > 0) split(1, std::min(left, fit));
  }

  void Open(const Resources& pod, std::int64_t& left) {
    std::vector<std::int64_t> fits;
    std::vector<std::int64_t> limits;
    std::int64_t room = 0;
    for (std::size_t i = 0; i < offers_.size(); ++i) {
      fits.push_back(std::max<std::int64_t>(std::min(Fit(pod, offers_[i]), left), 0));
      limits.push_back(offers_[i].max_nodes
                           ? std::max<std::int64_t>(*offers_[i].max_nodes - used_[i], 0)
                           : left);
      limits.back() = std::min(limits.back(), left);
      room = std::min(left, room + (fits[i] > 0 ? std::min(left, fits[i] * limits[i]) : 0));
    }
    const std::int64_t bulk = room - std::min(room, kExactPods);
    std::vector<std::int64_t> wanted = Bulk(bulk, fits, limits);
    std::int64_t held = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      limits[i] -= wanted[i];
      held += wanted[i] * fits[i];
    }
    const std::vector<std::int64_t> rest =
        Cover(std::max<std::int64_t>(room - held, 0), fits, limits, costs_);
    for (std::size_t i = 0; i < offers_.size(); ++i) {
      const std::int64_t count = wanted[i] + rest[i];
      if (count == 0) continue;
      used_[i] += count;
      nodes_.push_back({.offer = i, .count = count, .taken = {}});
      Fill(nodes_.size() - 1, pod, left);
    }
  }

  /// Whole nodes for about `pods`, never more, of what is cheapest for each.
  [[nodiscard]] std::vector<std::int64_t> Bulk(std::int64_t pods,
                                               const std::vector<std::int64_t>& fits,
                                               const std::vector<std::int64_t>& limits) const {
    std::vector<std::int64_t> nodes(offers_.size());
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < fits.size(); ++i) {
      if (fits[i] > 0) order.push_back(i);
    }
    std::ranges::sort(
        order, {}, [&](std::size_t i) { return costs_[i] / static_cast<double>(fits[i]); });
    for (const std::size_t i : order) {
      nodes[i] = std::min(limits[i], pods / fits[i]);
      pods -= nodes[i] * fits[i];
    }
    return nodes;
  }

  const std::vector<NodeOffer>& offers_;
  const std::vector<double>& costs_;
  std::vector<std::int64_t> used_;
  std::vector<OpenNodes> nodes_;
};

/// Orders in which to place the demands.
std::vector<std::vector<std::size_t>> Orders(const std::vector<PodDemand>& demands) {
  std::vector<std::size_t> order(demands.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<std::size_t>> orders;
  if (demands.size() <= kSizesInEveryOrder) {
    do {
      orders.push_back(order);
    } while (std::ranges::next_permutation(order).found);
    return orders;
  }
  for (const auto resource : {&Resources::cpu_millis, &Resources::memory_bytes}) {
    std::ranges::stable_sort(
        order, std::greater(), [&](std::size_t i) { return demands[i].requests.*resource; });
    orders.push_back(order);
  }
  return orders;
}

using Counts = std::vector<std::int64_t>;  ///< pods of each size

/// What a node of one offer can hold, such that no pod more fits: `patterns`, and what it is of.
void AddPatterns(const std::vector<PodDemand>& demands,
                 const NodeOffer& offer,
                 std::size_t size,
                 const OpenNodes& there,
                 Counts& pattern,
                 std::vector<Counts>& patterns) {
  if (size + 1 == demands.size()) {
    const std::int64_t fit = std::max<std::int64_t>(Fit(demands[size].requests, offer, there), 0);
    pattern[size] = std::min(fit, demands[size].count);
    if (patterns.size() < kMaxPatterns && std::ranges::any_of(pattern, std::identity())) {
      patterns.push_back(pattern);
    }
    return;
  }
  OpenNodes next = there;
  const std::int64_t fit = std::min(Fit(demands[size].requests, offer, there), demands[size].count);
  Put(next, demands[size].requests, std::max<std::int64_t>(fit, 0));
  for (pattern[size] = std::max<std::int64_t>(fit, 0);; --pattern[size]) {
    AddPatterns(demands, offer, size + 1, next, pattern, patterns);
    if (pattern[size] == 0) return;
    Put(next, demands[size].requests, -1);
  }
}

/// Nodes by what they hold together, for a few sizes: the bulk by what holds most for its cost, and
/// the rest exactly, by a table of all that can remain.
class PatternPacker {
 public:
  PatternPacker(const std::vector<PodDemand>& demands,
                const std::vector<NodeOffer>& offers,
                const std::vector<double>& costs)
      : offers_(offers), costs_(costs), used_(offers.size()), patterns_(offers.size()) {
    for (const PodDemand& demand : demands) left_.push_back(demand.count);
    Counts pattern(demands.size());
    for (std::size_t i = 0; i < offers.size(); ++i) {
      AddPatterns(demands, offers[i], 0, {}, pattern, patterns_[i]);
    }
  }

  /// Nodes of each offer for all pods; empty when it finds none.
  std::optional<std::vector<std::int64_t>> Solve() {
    const std::int64_t rest =
        static_cast<std::int64_t>(std::floor(
            std::pow(static_cast<double>(kTableStates), 1.0 / static_cast<double>(left_.size())))) -
        1;
    while (TakeBulk(rest)) {
    }
    if (std::ranges::any_of(left_, [&](std::int64_t left) { return left > rest; })) {
      return std::nullopt;
    }
    return SolveRest() ? std::optional(used_) : std::nullopt;
  }

 private:
  [[nodiscard]] std::int64_t Room(std::size_t offer) const {
    const std::int64_t total = std::accumulate(left_.begin(), left_.end(), std::int64_t{0});
    return offers_[offer].max_nodes
               ? std::clamp<std::int64_t>(*offers_[offer].max_nodes - used_[offer], 0, total)
               : total;
  }

  /// Takes as many as can be of the pattern that is worth most, where each pod is worth what it
  /// costs by itself, and leaves `rest` of each size. False when there is nothing to take.
  bool TakeBulk(std::int64_t rest) {
    if (std::ranges::all_of(left_, [&](std::int64_t left) { return left <= rest; })) return false;
    std::vector<double> worth(left_.size(), std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i < offers_.size(); ++i) {
      for (const Counts& pattern : patterns_[i]) {
        for (std::size_t size = 0; size < left_.size(); ++size) {
          if (pattern[size] == 0) continue;
          worth[size] = std::min(worth[size], costs_[i] / static_cast<double>(pattern[size]));
        }
      }
    }
    double best = 0;
    std::size_t best_offer = 0;
    std::int64_t nodes = 0;
    const Counts* taken = nullptr;
    for (std::size_t i = 0; i < offers_.size(); ++i) {
      for (const Counts& pattern : patterns_[i]) {
        std::int64_t count = Room(i);
        double value = 0;
        for (std::size_t size = 0; size < left_.size(); ++size) {
          if (pattern[size] == 0) continue;
          count =
              std::min(count, std::max<std::int64_t>(left_[size] - rest / 2, 0) / pattern[size]);
          value += worth[size] * static_cast<double>(pattern[size]);
        }
        if (count == 0 || value / costs_[i] <= best) continue;
        best = value / costs_[i];
        best_offer = i;
        nodes = count;
        taken = &pattern;
      }
    }
    if (taken == nullptr) return false;
    used_[best_offer] += nodes;
    for (std::size_t size = 0; size < left_.size(); ++size) left_[size] -= (*taken)[size] * nodes;
    return true;
  }

  /// The table's entry for what remains after a node with `pattern`.
  [[nodiscard]] std::size_t After(std::size_t state, const Counts& pattern) const {
    std::size_t after = 0;
    std::size_t weight = 1;
    for (std::size_t size = 0; size < left_.size(); ++size) {
      const auto radix = static_cast<std::size_t>(left_[size] + 1);
      const auto held = static_cast<std::size_t>(pattern[size]);
      const std::size_t remains = state % radix;
      after += weight * (remains > held ? remains - held : 0);
      state /= radix;
      weight *= radix;
    }
    return after;
  }

  /// One step of the table: another node of an offer, or any number of them.
  struct Step {
    std::size_t offer = 0;
    bool any_number = false;
    std::vector<const Counts*> taken;  ///< by state: what the node holds; null: no node
  };

  bool SolveRest() {
    std::size_t states = 1;
    for (const std::int64_t left : left_) states *= static_cast<std::size_t>(left + 1);
    std::vector<double> best(states, std::numeric_limits<double>::infinity());
    best[0] = 0;
    std::vector<Step> steps;
    for (std::size_t i = 0; i < offers_.size(); ++i) {
      const bool any_number = !offers_[i].max_nodes;
      for (std::int64_t n = any_number ? 1 : Room(i); n > 0; --n) {
        steps.push_back({i, any_number, std::vector<const Counts*>(states)});
        for (std::size_t at = 1; at < states; ++at) {
          // With any number a node may follow another of this step, else only what was before.
          const std::size_t state = any_number ? at : states - at;
          for (const Counts& pattern : patterns_[i]) {
            const double with = best[After(state, pattern)] + costs_[i];
            if (with >= best[state]) continue;
            best[state] = with;
            steps.back().taken[state] = &pattern;
          }
        }
      }
    }
    std::size_t state = states - 1;
    if (best[state] == std::numeric_limits<double>::infinity()) return false;
    for (std::size_t i = steps.size(); i-- > 0;) {
      while (const Counts* const pattern = steps[i].taken[state]) {
        ++used_[steps[i].offer];
        state = After(state, *pattern);
        if (!steps[i].any_number) break;
      }
    }
    return true;
  }

  const std::vector<NodeOffer>& offers_;
  const std::vector<double>& costs_;
  std::vector<std::int64_t> used_;
  std::vector<std::vector<Counts>> patterns_;  ///< of each offer
  Counts left_;
};

}  // namespace

std::vector<NodeOffer> OffersOf(const std::vector<NodeShape>& shapes) {
  std::vector<NodeOffer> offers;
  for (const NodeShape& shape : shapes) {
    offers.push_back({.shape = shape.name,
                      .allocatable = rightsizing::Allocatable(shape.node, {}),
                      .max_pods = shape.node.max_pods,
                      .price_per_hour = shape.price_per_hour,
                      .max_nodes = shape.max_nodes});
  }
  return offers;
}

NodePlan PackNodes(const std::vector<PodDemand>& demands, const std::vector<NodeOffer>& offers) {
  const auto usable = [&](const NodeOffer& offer) {
    return std::ranges::any_of(
        demands, [&](const PodDemand& demand) { return Fit(demand.requests, offer) > 0; });
  };
  const bool priced = std::ranges::all_of(offers, [&](const NodeOffer& offer) {
    return offer.price_per_hour.has_value() || !usable(offer);
  });
  std::vector<double> costs;
  for (const NodeOffer& offer : offers) {
    costs.push_back(priced ? offer.price_per_hour.value_or(0) + kNodeWeight : 1);
  }

  NodePlan best;
  std::optional<std::tuple<std::int64_t, double>> best_score;
  const auto consider = [&](NodePlan plan) {
    double cost = 0;
    for (std::size_t i = 0; i < offers.size(); ++i) {
      cost += costs[i] * static_cast<double>(plan.nodes[i]);
    }
    const std::tuple score(
        std::accumulate(plan.unplaced.begin(), plan.unplaced.end(), std::int64_t{0}), cost);
    if (best_score && *best_score <= score) return;
    best_score = score;
    best = std::move(plan);
  };
  for (const std::vector<std::size_t>& order : Orders(demands)) {
    Packer packer(offers, costs);
    NodePlan plan{.nodes = {}, .unplaced = std::vector<std::int64_t>(demands.size())};
    for (const std::size_t i : order) plan.unplaced[i] = packer.Place(demands[i]);
    plan.nodes = packer.used();
    consider(std::move(plan));
  }
  if (demands.size() > 1 && demands.size() <= kSizesInEveryOrder) {
    if (auto nodes = PatternPacker(demands, offers, costs).Solve()) {
      consider({.nodes = *std::move(nodes), .unplaced = std::vector<std::int64_t>(demands.size())});
    }
  }
  best.cost_per_hour = 0;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (best.nodes[i] == 0) continue;
    if (!offers[i].price_per_hour || !best.cost_per_hour) {
      best.cost_per_hour.reset();
      break;
    }
    *best.cost_per_hour += *offers[i].price_per_hour * static_cast<double>(best.nodes[i]);
  }
  return best;
}

}  // namespace stoker::capacity
