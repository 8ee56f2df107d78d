#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace stoker {

/// The process's environment variables. Thread-safe.
class Environment {
 public:
  virtual ~Environment() = default;
  /// Empty optional when unset; a variable set to "" is a value.
  [[nodiscard]] virtual std::optional<std::string> Get(std::string_view name) const = 0;
  /// All variables whose name starts with `prefix`.
  [[nodiscard]] virtual std::map<std::string, std::string> WithPrefix(
      std::string_view prefix) const = 0;
};

/// Randomness, for jitter. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  /// Uniform in [0, 1).
  virtual double Uniform() = 0;
};

/// One entry of a folder.
struct FileInfo {
  std::string name;  ///< within its folder, no path
  bool is_directory = false;
  std::uint64_t size_bytes = 0;
  WallTime modified{};
};

/// Reads files; nothing in Stoker's serving path writes one. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// Whole content. kNotFound when absent, kPermissionDenied, else kUnavailable; messages name the
  /// path.
  virtual Result<std::string> Read(const std::string& path) const = 0;
  /// Entries of a folder in name order, without "." and "..". Links are followed. kNotFound when
  /// absent.
  virtual Result<std::vector<FileInfo>> List(const std::string& path) const = 0;
  /// kNotFound when absent.
  virtual Result<FileInfo> Stat(const std::string& path) const = 0;
};

class SystemEnvironment final : public Environment {
 public:
  [[nodiscard]] std::optional<std::string> Get(std::string_view name) const override;
  [[nodiscard]] std::map<std::string, std::string> WithPrefix(
      std::string_view prefix) const override;
};

class SystemRandom final : public Random {
 public:
  double Uniform() override;
};

class SystemFileSystem final : public FileSystem {
 public:
  Result<std::string> Read(const std::string& path) const override;
  Result<std::vector<FileInfo>> List(const std::string& path) const override;
  Result<FileInfo> Stat(const std::string& path) const override;
};

}  // namespace stoker
