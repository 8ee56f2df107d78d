#include "core/environment.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>

#include <unistd.h>

namespace stoker {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> FailFile(const std::string& path, const std::error_code& error) {
  ErrorCode code = ErrorCode::kUnavailable;
  if (error == std::errc::no_such_file_or_directory) code = ErrorCode::kNotFound;
  if (error == std::errc::permission_denied) code = ErrorCode::kPermissionDenied;
  return Fail(code, path + ": " + error.message());
}

Result<FileInfo> Describe(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error) return FailFile(path.string(), error);
  FileInfo info;
  info.name = path.filename().string();
  info.is_directory = fs::is_directory(status);
  if (fs::is_regular_file(status)) {
    info.size_bytes = fs::file_size(path, error);
    if (error) return FailFile(path.string(), error);
  }
  const fs::file_time_type modified = fs::last_write_time(path, error);
  if (error) return FailFile(path.string(), error);
  info.modified =
      std::chrono::time_point_cast<Duration>(fs::file_time_type::clock::to_sys(modified));
  return info;
}

}  // namespace

std::optional<std::string> SystemEnvironment::Get(std::string_view name) const {
  const char* value = std::getenv(std::string(name).c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::map<std::string, std::string> SystemEnvironment::WithPrefix(std::string_view prefix) const {
  std::map<std::string, std::string> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !text.starts_with(prefix)) continue;
    found.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return found;
}

double SystemRandom::Uniform() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

Result<std::string> SystemFileSystem::Read(const std::string& path) const {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error) return FailFile(path, error);
  if (fs::is_directory(status)) {
    return FailFile(path, std::make_error_code(std::errc::is_a_directory));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return FailFile(path, std::error_code(errno, std::generic_category()));
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return FailFile(path, std::make_error_code(std::errc::io_error));
  return content;
}

Result<std::vector<FileInfo>> SystemFileSystem::List(const std::string& path) const {
  std::error_code error;
  std::vector<FileInfo> entries;
  fs::directory_iterator iterator(path, error);
  if (error) return FailFile(path, error);
  for (; iterator != fs::directory_iterator(); iterator.increment(error)) {
    if (error) return FailFile(path, error);
    Result<FileInfo> info = Describe(iterator->path());
    // A file that vanished since it was listed is simply not there.
    if (!info) {
      if (info.error().code == ErrorCode::kNotFound) continue;
      return Fail(info.error());
    }
    entries.push_back(std::move(*info));
  }
  if (error) return FailFile(path, error);
  std::sort(entries.begin(), entries.end(), [](const FileInfo& a, const FileInfo& b) {
    return a.name < b.name;
  });
  return entries;
}

Result<FileInfo> SystemFileSystem::Stat(const std::string& path) const { return Describe(path); }

}  // namespace stoker
