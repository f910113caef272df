#include "molsieve/src/chem/match/plan.h"

#include <algorithm>

#include "molsieve/src/chem/match/kind.h"

namespace molsieve::match {

namespace {

// The pattern's atom that RDKit's search places next: the lowest with a neighbour that is placed, or else the lowest.
unsigned int next_atom(const RDKit::ROMol &pattern, const std::vector<std::uint16_t> &step_of) {
  auto lowest = pattern.getNumAtoms();
  for (const auto *atom : pattern.atoms()) {
    if (step_of[atom->getIdx()] != NO_INDEX) {
      continue;
    }
    auto neighbours = pattern.atomNeighbors(atom);
    if (std::any_of(neighbours.begin(), neighbours.end(),
                    [&](const auto *neighbour) { return step_of[neighbour->getIdx()] != NO_INDEX; })) {
      return atom->getIdx();
    }
    lowest = std::min(lowest, atom->getIdx());
  }
  return lowest;
}

Found found_of(bool unknown, std::size_t matches) {
  return unknown ? Found::UNKNOWN : matches == 0 ? Found::NONE : Found::SOME;
}

}  // namespace

std::optional<Plan> Plan::of(const RDKit::ROMol &pattern, const std::vector<Kind *> &kinds) {
  Plan plan;
  std::vector<std::uint16_t> step_of(pattern.getNumAtoms(), NO_INDEX);
  for (unsigned int i = 0; i < pattern.getNumAtoms(); ++i) {
    const auto atom = next_atom(pattern, step_of);
    if (!plan.add_step(pattern, atom, kinds[atom], step_of)) {
      return {};
    }
  }
  for (auto *kind : kinds) {
    if (std::ranges::find(plan.kinds_, kind) == plan.kinds_.end()) {
      plan.kinds_.push_back(kind);
    }
  }
  std::ranges::stable_partition(plan.kinds_, [](const auto *kind) { return !kind->is_recursive(); });
  plan.at_.resize(plan.steps_.size());
  return plan;
}

// Adds the step of an atom. The neighbour whose neighbours RDKit tries is the first in the atom's list that is placed.
bool Plan::add_step(const RDKit::ROMol &pattern, unsigned int atom, Kind *kind, std::vector<std::uint16_t> &step_of) {
  const auto *placed = pattern.getAtomWithIdx(atom);
  Step step{};
  step.kind = kind;
  step.atom = atom;
  step.from = NO_INDEX;
  step.degree = std::min(placed->getDegree(), 0xffu);
  step.first_closing = closings_.size();
  for (const auto *bond : pattern.atomBonds(placed)) {
    const auto other = step_of[bond->getOtherAtomIdx(atom)];
    const auto states = compile_bond(*bond);
    if (!states) {
      return false;
    }
    if (other == NO_INDEX) {
      continue;
    }
    if (step.from == NO_INDEX) {
      step.from = other;
      step.states = *states;
    } else {
      closings_.push_back({other, *states});
    }
  }
  step.closings = closings_.size() - step.first_closing;
  step_of[atom] = steps_.size();
  steps_.push_back(step);
  return true;
}

bool Plan::may_match(const Target &target) {
  return std::ranges::all_of(kinds_, [&](const Kind *kind) { return kind->may_be_in(target); }) &&
         std::ranges::all_of(kinds_, [&](Kind *kind) { return kind->evaluate(target); });
}

const AtomSet &Plan::beginnings() const { return steps_[0].kind->candidates(); }

std::size_t Plan::count_max(unsigned int degree_max) const {
  constexpr std::size_t MANY = std::size_t{1} << 32;
  std::size_t count = 1;
  std::vector<unsigned int> left(steps_.size(), degree_max);  // neighbours of each step's atom that are not placed
  for (std::size_t i = 1; i < steps_.size(); ++i) {
    if (steps_[i].from == NO_INDEX || count > MANY) {
      return MANY;
    }
    count *= left[steps_[i].from];
    left[steps_[i].from] -= left[steps_[i].from] != 0;
    left[i] -= left[i] != 0;
  }
  return count;
}

bool Plan::closes(const Target &target, const Step &step, unsigned int atom) const {
  const auto *closing = closings_.data() + step.first_closing;
  return std::all_of(closing, closing + step.closings, [&](const Closing &closing) {
    const auto other = at_[closing.step];
    return std::any_of(target.begin(atom), target.end(atom), [&](const Target::Link &link) {
      return link.atom == other && (closing.states >> link.state & 1);
    });
  });
}

// Places a step's atom, and goes on from there.
template <typename Take>
Plan::Next Plan::try_atom(const Target &target, std::size_t step, unsigned int atom, const Take &take) {
  const auto &placed = steps_[step];
  if (used_.has(atom) || !placed.kind->candidates().has(atom) || target.degree(atom) < placed.degree ||
      !closes(target, placed, atom)) {
    return Next::GO_ON;
  }
  switch (placed.kind->matches(target, atom)) {
    case Truth::NO: return Next::GO_ON;
    case Truth::OPEN: return Next::UNKNOWN;
    case Truth::YES: break;
  }
  at_[step] = atom;
  used_.add(atom);
  const auto next = extend(target, step + 1, take);
  used_.remove(atom);
  return next;
}

// Calls `take` for each match that begins as the steps before do, until that says stop.
template <typename Take>
Plan::Next Plan::extend(const Target &target, std::size_t step, const Take &take) {
  if (step == steps_.size()) {
    return take();
  }
  const auto &next = steps_[step];
  if (next.from != NO_INDEX) {
    const auto from = at_[next.from];
    for (const auto *link = target.begin(from); link != target.end(from); ++link) {
      if (next.states >> link->state & 1) {
        if (const auto then = try_atom(target, step, link->atom, take); then != Next::GO_ON) {
          return then;
        }
      }
    }
    return Next::GO_ON;
  }
  for (unsigned int word = 0; word < target.words(); ++word) {
    for (auto left = next.kind->candidates().words[word]; left != 0; left &= left - 1) {
      const auto then = try_atom(target, step, 64 * word + std::countr_zero(left), take);
      if (then != Next::GO_ON) {
        return then;
      }
    }
  }
  return Next::GO_ON;
}

// Calls `take` for each match, until that says stop.
template <typename Take>
Plan::Next Plan::visit(const Target &target, const Take &take) {
  if (steps_.size() > target.size() || !may_match(target)) {
    return Next::GO_ON;
  }
  std::fill_n(used_.words.begin(), target.words(), 0);
  return extend(target, 0, take);
}

Found Plan::find(const Target &target, std::size_t matches_max, std::vector<RDKit::MatchVectType> &matches) {
  matches.clear();
  const auto next = visit(target, [&] {
    auto &match = matches.emplace_back(steps_.size());
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      match[steps_[i].atom] = {steps_[i].atom, at_[i]};
    }
    return matches.size() < matches_max ? Next::GO_ON : Next::STOP;
  });
  return found_of(next == Next::UNKNOWN, matches.size());
}

Found Plan::exists(const Target &target) {
  bool found = false;
  const auto next = visit(target, [&] {
    found = true;
    return Next::STOP;
  });
  return found_of(next == Next::UNKNOWN, found);
}

Found Plan::cover(const Target &target, std::size_t matches_max, std::vector<char> &atoms, std::size_t &matches) {
  matches = 0;
  const auto next = visit(target, [&] {
    for (const auto atom : at_) {
      atoms[atom] = true;
    }
    return ++matches < matches_max ? Next::GO_ON : Next::STOP;
  });
  return found_of(next == Next::UNKNOWN, matches);
}

template <typename Take>
Plan::Next Plan::begin_at(const Target &target, unsigned int atom, const Take &take) {
  std::fill_n(used_.words.begin(), target.words(), 0);
  return try_atom(target, 0, atom, take);
}

Found Plan::begins_at(const Target &target, unsigned int atom) {
  bool found = false;
  const auto next = begin_at(target, atom, [&] {
    found = true;
    return Next::STOP;
  });
  return found_of(next == Next::UNKNOWN, found);
}

Found Plan::count_at(const Target &target, unsigned int atom, std::size_t matches_max, std::size_t &count) {
  const auto before = count;
  const auto next = begin_at(target, atom, [&] { return ++count < matches_max ? Next::GO_ON : Next::STOP; });
  return found_of(next == Next::UNKNOWN, count - before);
}

}  // namespace molsieve::match
