#include <iostream>

#include "cli/rightsize.h"

// NOLINTNEXTLINE(bugprone-exception-escape): Rightsize catches; the rest only fails without memory.
int main(int argc, char** argv) {
  const stoker::SystemFileSystem files;
  return stoker::cli::Rightsize({argv + 1, argv + argc}, files, std::cout, std::cerr);
}
