# Every switch of the build, and the two interface targets that carry flags:
# stoker_options (public: standard, sanitizers) and stoker_warnings (private: not for generated code).
set(STOKER_SANITIZE "" CACHE STRING "Sanitizers, e.g. address;undefined or thread")
option(STOKER_WERROR "Warnings are errors" OFF)
option(STOKER_FUZZ "Build fuzz targets with libFuzzer instead of the corpus replayer" OFF)
option(STOKER_BENCH "Build benchmarks" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(STOKER_CCACHE ccache)
if(STOKER_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${STOKER_CCACHE})
endif()

add_library(stoker_options INTERFACE)
target_include_directories(stoker_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(stoker_options INTERFACE BOOST_ASIO_HAS_CO_AWAIT=1)
# Asio and Beast are header-only: their debug information dominates link time and disk, -g1 keeps traces.
target_compile_options(stoker_options INTERFACE $<$<CONFIG:Debug>:-g1>)
if(STOKER_SANITIZE)
  list(JOIN STOKER_SANITIZE "," sanitizers)
  set(flags -fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_compile_options(stoker_options INTERFACE ${flags} $<$<CONFIG:Debug>:-O1>)
  target_link_options(stoker_options INTERFACE ${flags})
  if("thread" IN_LIST STOKER_SANITIZE)
    # The thread sanitizer does not understand fences; Asio's locks do without them.
    target_compile_definitions(stoker_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
if(STOKER_FUZZ)
  target_compile_options(stoker_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(STOKER_MOLD mold)
if(STOKER_MOLD)
  target_link_options(stoker_options INTERFACE -fuse-ld=mold)
endif()

add_library(stoker_warnings INTERFACE)
target_compile_options(stoker_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough
  # Designated initialisers leave the rest at its default on purpose.
  -Wno-missing-field-initializers
  # g++ 12 reports false ones inside std::string's operator+ when it optimises (GCC bug 105329).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -Wuseless-cast -Wsuggest-override>
  $<$<BOOL:${STOKER_WERROR}>:-Werror>)
