# Helpers: one static library per folder, explicit sources, tests by kind.

# stoker_library(NAME SOURCES a.cc ... DEPS public... PRIVATE_DEPS only-in-.cc...)
function(stoker_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(stoker_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(stoker_${name}
    PUBLIC stoker_options ${ARG_DEPS} PRIVATE stoker_warnings ${ARG_PRIVATE_DEPS})
  add_library(stoker::${name} ALIAS stoker_${name})
endfunction()

# stoker_test(NAME KIND unit|contract|golden|integration SOURCES a_test.cc ... DEPS ... [MAIN own-main])
# One executable and one ctest entry, labelled with its kind, with the source tree as working folder.
function(stoker_test name)
  cmake_parse_arguments(ARG "OWN_MAIN" "KIND;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  set(target ${ARG_KIND}_${name})
  add_executable(${target} ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE stoker_options stoker_warnings stoker::testing ${ARG_DEPS})
  if(NOT ARG_OWN_MAIN)
    target_link_libraries(${target} PRIVATE dep::gtest_main)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME ${ARG_KIND}.${name}
           COMMAND ${target} --gtest_output=xml:${PROJECT_BINARY_DIR}/results/${ARG_KIND}.${name}.xml
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${ARG_KIND}.${name} PROPERTIES LABELS ${ARG_KIND} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# stoker_fuzz(NAME SOURCES a_fuzz.cc DEPS ...): the source defines LLVMFuzzerTestOneInput. Normally it is
# linked with a main that replays tests/fuzz/corpus/NAME; with STOKER_FUZZ, with libFuzzer.
function(stoker_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  set(target fuzz_${name})
  add_executable(${target} ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE stoker_options stoker_warnings ${ARG_DEPS})
  if(STOKER_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    target_link_libraries(${target} PRIVATE stoker_fuzz_replay)
    add_test(NAME fuzz.${name}
             COMMAND ${target} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()
