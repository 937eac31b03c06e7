# village_hardening carries the flags of a binary that is shipped (preset `dist`).
include(CheckPIESupported)
check_pie_supported()
add_library(village_hardening INTERFACE)
if(VILLAGE_HARDENING)
  target_compile_options(village_hardening INTERFACE
    -fstack-protector-strong -fstack-clash-protection -fcf-protection
    -ftrivial-auto-var-init=zero -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fno-plt)
  target_link_options(village_hardening INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -pie)
endif()
