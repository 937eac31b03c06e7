# village_sanitize carries the sanitizer flags of the whole build; every module links it.
add_library(village_sanitize INTERFACE)
if(VILLAGE_SANITIZE)
  set(flags -fsanitize=${VILLAGE_SANITIZE} -fno-omit-frame-pointer)
  if(VILLAGE_SANITIZE MATCHES "undefined")
    list(APPEND flags -fno-sanitize-recover=undefined)
  endif()
  if(VILLAGE_FUZZ)
    list(APPEND flags -fsanitize=fuzzer-no-link)
  endif()
  # -O1: the sanitizers' own advice; whole test suites at -O0 take three times as long.
  target_compile_options(village_sanitize INTERFACE ${flags} -O1 -g1)
  target_link_options(village_sanitize INTERFACE ${flags})
endif()
