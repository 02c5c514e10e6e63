// Points in time as text. Always UTC, so that what one machine wrote compares with what another did.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace satdl {

[[nodiscard]] std::string utc_text(std::time_t time);          // "2026-11-24 03:17:31 UTC"
[[nodiscard]] std::string utc_minutes_text(std::time_t time);  // "2026-11-24 03:17 UTC"
// How long ago: "now", "5 minutes ago", "3 hours ago", "2 days ago", "7 weeks ago", "2 years ago".
[[nodiscard]] std::string age_text(double seconds);
// "20261124T031731.123456": sorts by time, and may be part of a file's name. `microseconds`: since 1970.
[[nodiscard]] std::string utc_stamp(std::int64_t microseconds);

}  // namespace satdl
