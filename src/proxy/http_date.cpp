#include "village/proxy/http_date.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace village::proxy {

std::string http_date(WallTime when) {
  using namespace std::chrono;
  constexpr std::array days_of_week{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::int64_t last = 253'402'300'799;  // 9999-12-31 23:59:59
  const auto since = duration_cast<seconds>(when.time_since_epoch());
  const sys_seconds at{seconds{std::clamp<std::int64_t>(since.count(), 0, last)}};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{at - day};
  std::array<char, 64> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                    days_of_week[weekday{day}.c_encoding()], static_cast<unsigned>(date.day()),
                    months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                    static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                    static_cast<int>(time.seconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace village::proxy
