# Sourced by scripts/run and scripts/test: installs what is missing from Debian's packages, says so, and
# is quick when nothing is. Works as root or with sudo.

packages_build=(
  g++ cmake ninja-build pkg-config ccache mold ca-certificates
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libssl-dev
  libcpp-httplib-dev libyaml-cpp-dev libboost-dev libspdlog-dev prometheus-cpp-dev libsimdjson-dev
  nlohmann-json3-dev libcli11-dev libexpected-dev libhowardhinnant-date-dev tzdata libmuparser-dev libpugixml-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
packages_test=(git python3 python3-pip prometheus openjdk-17-jdk-headless openssl clang-16 clang-tidy-16 clang-format-16)

require_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "missing packages: ${missing[*]}; install them as root with apt-get install" >&2
      return 1
    }
    sudo=sudo
  fi
  echo "installing ${#missing[@]} packages: ${missing[*]}" >&2
  $sudo apt-get update -qq >&2
  # A service that a package would start is of no use here and takes ports.
  $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >&2
}

# Where tools and builds that are not of this tree are kept between runs.
export STOKER_CACHE=${STOKER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/stoker}

# The compiler's cache makes a second clone quick, too: paths inside the tree do not count.
CCACHE_BASEDIR=$PWD
export CCACHE_BASEDIR CCACHE_NOHASHDIR=1 CCACHE_DIR=${CCACHE_DIR:-$STOKER_CACHE/ccache}

# build PRESET TARGET...: configure when needed, then build.
build() {
  local preset=$1
  shift
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"/tmp/stoker-configure-$$.log" 2>&1 || {
    cat "/tmp/stoker-configure-$$.log" >&2
    return 1
  }
  rm -f "/tmp/stoker-configure-$$.log"
  cmake --build "build/$preset" --target "$@" >&2
}
