#include "pipeline/core/time_text.h"

#include <fmt/format.h>

namespace satdl {

namespace {

std::tm utc(std::time_t time) {
    std::tm fields{};
    gmtime_r(&time, &fields);
    return fields;
}

std::string date(const std::tm& fields) {
    return fmt::format("{:04}-{:02}-{:02}", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday);
}

}  // namespace

std::string utc_text(std::time_t time) {
    const std::tm fields = utc(time);
    return fmt::format("{} {:02}:{:02}:{:02} UTC", date(fields), fields.tm_hour, fields.tm_min, fields.tm_sec);
}

std::string utc_minutes_text(std::time_t time) {
    const std::tm fields = utc(time);
    return fmt::format("{} {:02}:{:02} UTC", date(fields), fields.tm_hour, fields.tm_min);
}

std::string age_text(double seconds) {
    struct Unit {
        double seconds;
        const char* name;
    };
    constexpr Unit kUnits[] = {{365.25 * 86400, "year"}, {7 * 86400, "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}};
    for (const auto& [length, name] : kUnits) {
        if (seconds < length) continue;
        const auto number = static_cast<std::int64_t>(seconds / length);
        return fmt::format("{} {}{} ago", number, name, number == 1 ? "" : "s");
    }
    return "now";
}

std::string utc_stamp(std::int64_t microseconds) {
    const std::tm fields = utc(microseconds / 1'000'000);
    return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:06}", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday, fields.tm_hour,
                       fields.tm_min, fields.tm_sec, microseconds % 1'000'000);
}

}  // namespace satdl
