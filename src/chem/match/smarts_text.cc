#include "molsieve/src/chem/match/smarts_text.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace molsieve {

namespace {

// The place behind the bracket that closes the one at `at`; the end of the text if none does.
std::size_t behind_closing(std::string_view text, std::size_t at, char opening, char closing) {
  for (unsigned int depth = 0; at < text.size(); ++at) {
    depth += text[at] == opening;
    depth -= text[at] == closing;
    if (depth == 0) {
      return at + 1;
    }
  }
  return text.size();
}

// `[CX4:2]` without its map number: `[CX4]`.
std::string without_map_number(std::string atom) {
  const auto colon = atom.find_last_of(':');
  const auto is_digit = [](unsigned char letter) { return std::isdigit(letter); };
  if (colon != std::string::npos && colon + 2 < atom.size() &&
      std::all_of(atom.begin() + colon + 1, atom.end() - 1, is_digit)) {
    atom.erase(colon, atom.size() - 1 - colon);
  }
  return atom;
}

}  // namespace

std::vector<std::string> atom_texts(const std::string &smarts) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < smarts.size();) {
    const auto begin = at;
    if (smarts[at] == '[') {
      at = behind_closing(smarts, at, '[', ']');
      texts.push_back(without_map_number(smarts.substr(begin, at - begin)));
    } else if (smarts.compare(at, 2, "Cl") == 0 || smarts.compare(at, 2, "Br") == 0) {
      at += 2;
      texts.push_back(smarts.substr(begin, 2));
    } else {
      ++at;
      if (std::isalpha(static_cast<unsigned char>(smarts[begin])) || smarts[begin] == '*') {
        texts.push_back(smarts.substr(begin, 1));
      }
    }
  }
  return texts;
}

std::vector<RecursiveText> recursive_texts(const std::string &atom) {
  std::vector<RecursiveText> texts;
  for (auto at = atom.find("$("); at != std::string::npos; at = atom.find("$(", at)) {
    const bool negated = at > 0 && atom[at - 1] == '!';
    const auto begin = at + 2;
    at = behind_closing(atom, at + 1, '(', ')');
    texts.push_back({atom.substr(begin, at - 1 - begin), negated});
  }
  return texts;
}

}  // namespace molsieve
