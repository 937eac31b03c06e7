# village_module() declares one module of the house: its layer, the modules it may include, and its packages.
#
#   village_module(NAME htx LAYER 4 DEPENDS base crypto wire noise [LIBS OpenSSL::Crypto] [PRIVATE_LIBS ...] [PCH header...])
#
# Sources are src/<name>/*.cpp, public headers include/village/<name>/. The edges are written to
# build/<preset>/layers.txt, which the ctest `layering` compares with every #include of the tree.
find_program(VILLAGE_CCACHE ccache)
if(VILLAGE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${VILLAGE_CCACHE})
endif()

add_library(village_flags INTERFACE)
target_include_directories(village_flags INTERFACE ${CMAKE_SOURCE_DIR}/include)
target_compile_options(village_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough
  -fvisibility=hidden $<$<BOOL:${VILLAGE_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:Clang>:-fpch-instantiate-templates>
  # g++ 12 warns of overlapping copies inside std::string where there are none (GCC bug 105329).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
target_compile_definitions(village_flags INTERFACE _GLIBCXX_ASSERTIONS)
target_link_libraries(village_flags INTERFACE village_sanitize village_hardening)
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At link time g++ 12 numbers the fields of one coroutine template's frame differently in each file and calls that a
  # violation of the one-definition rule; and it sees impossible sizes in std::string (GCC bug 105329).
  target_link_options(village_flags INTERFACE -Wno-odr -Wno-stringop-overflow)
endif()

# clang-14's own preference for coroutine headers is libstdc++'s <coroutine>, which it accepts with -std=c++20.
file(WRITE ${CMAKE_BINARY_DIR}/layers.txt "")

function(village_module)
  cmake_parse_arguments(arg "" "NAME;LAYER" "DEPENDS;LIBS;PRIVATE_LIBS;PCH" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${arg_NAME}/*.cpp)
  string(REPLACE ";" " " edges "${arg_DEPENDS}")
  file(APPEND ${CMAKE_BINARY_DIR}/layers.txt "${arg_NAME} ${arg_LAYER} ${edges}\n")
  list(TRANSFORM arg_DEPENDS PREPEND village_)
  set(target village_${arg_NAME})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC village_flags ${arg_DEPENDS} ${arg_LIBS} PRIVATE ${arg_PRIVATE_LIBS})
    if(arg_PCH)
      target_precompile_headers(${target} PRIVATE ${arg_PCH})
    endif()
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE village_flags ${arg_DEPENDS} ${arg_LIBS})
  endif()
endfunction()
