#include "pipeline/sweep/sweep_design.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace satdl {
namespace {

constexpr std::size_t kMaxAxes = 100;
constexpr std::size_t kMaxEntries = 10'000;  // of `include`, of `exclude`

const std::vector<std::string> kKeys = {"matrix", "include", "exclude", "repeat"};

void check_axes(const std::vector<SweepAxis>& axes) {
    if (axes.size() > kMaxAxes) refuse(axes[kMaxAxes].place, fmt::format("more than {} parameters are swept", kMaxAxes));
    std::set<std::string> seen;
    for (const SweepAxis& axis : axes) {
        SATDL_CHECK(!axis.values.empty(), "an axis has values");
        if (!seen.insert(axis.name).second) refuse(axis.place, fmt::format("'{}' is swept twice", printable(axis.name)));
    }
}

void check_count(const Place& place, std::size_t points) {
    if (points > kMaxPoints) refuse(place, fmt::format("this sweep has more than {} points", kMaxPoints));
}

// "0.1, 0.2 and 7 more"
std::string listed(const std::vector<ConfigValue>& values) {
    constexpr std::size_t kShown = 8;
    std::string text;
    for (std::size_t i = 0; i < std::min(kShown, values.size()); ++i)
        text += fmt::format("{}{}", i == 0 ? "" : ", ", printable(values[i].is_scalar() ? values[i].text() : values[i].canonical()));
    return values.size() <= kShown ? text : fmt::format("{} and {} more", text, values.size() - kShown);
}

class SectionReader {
public:
    SweepDesign read(const ConfigValue& section) {
        if (!section.is_map() || section.entries().empty())
            refuse(section.place(), "'sweep' must be a map from parameters to values, not " + section.describe(),
                   "sweep: {noise_factor: [0.1, 0.2]}");
        if (!is_long_form(section)) {
            read_matrix(section);
        } else {
            for (const ConfigValue::Entry& entry : section.entries())
                if (std::ranges::find(kKeys, entry.key) == kKeys.end()) unknown_key(entry);
            if (const ConfigValue* matrix = section.find("matrix")) read_matrix(*matrix);
            if (mistakes_.empty()) {  // else they may name what is missing only because of a mistake
                const ConfigValue* exclude = section.find("exclude");
                if (exclude != nullptr) read_exclude(*exclude);
                if (exclude != nullptr && mistakes_.empty() && design_.points.empty() && !section.find("include"))
                    mistakes_.add(exclude->place(), "this excludes every point of the matrix");
                if (const ConfigValue* include = section.find("include")) read_include(*include);
            }
            if (const ConfigValue* repeat = section.find("repeat")) read_repeat(*repeat);
        }
        if (mistakes_.empty() && design_.points.empty())
            mistakes_.add(section.place(), "this sweep has no points", "matrix: {noise_factor: [0.1, 0.2]}");
        mistakes_.throw_if_any();
        return std::move(design_);
    }

private:
    static bool is_long_form(const ConfigValue& section) {
        return std::ranges::any_of(section.entries(), [](const ConfigValue::Entry& entry) {
            const bool is_key = std::ranges::find(kKeys, entry.key) != kKeys.end();
            const auto holds_map = [](const ConfigValue& value) { return value.is_map(); };
            const bool is_like_one = entry.value.is_map() || std::ranges::any_of(entry.value.items(), holds_map);
            return is_key || (is_like_one && nearest(entry.key, kKeys));
        });
    }

    void unknown_key(const ConfigValue::Entry& entry) {
        const bool is_axis = entry.value.is_list() && !nearest(entry.key, kKeys);
        mistakes_.add(entry.key_place, fmt::format("'sweep' has no key '{}'", printable(entry.key)),
                      is_axis ? "next to matrix, include, exclude and repeat, parameters belong under 'matrix'"
                              : did_you_mean(entry.key, kKeys));
    }

    void add(const Error& error) {
        for (const Diagnostic& one : error.diagnostics()) mistakes_.add(one.place, one.message, one.hint);
    }

    void read_matrix(const ConfigValue& matrix) {
        if (!matrix.is_map() || matrix.entries().empty()) {
            mistakes_.add(matrix.place(), "'matrix' must be a map from parameters to values, not " + matrix.describe(),
                          "matrix: {noise_factor: [0.1, 0.2], epochs: [5, 20]}");
            return;
        }
        std::vector<SweepAxis> axes;
        for (const ConfigValue::Entry& entry : matrix.entries()) {
            try {
                axes.push_back(axis_from_yaml(entry));
            } catch (const Error& error) {
                add(error);
            }
        }
        if (!mistakes_.empty()) return;
        try {
            design_ = product_of(std::move(axes));
        } catch (const Error& error) {
            return add(error);
        }
        own_axes_ = design_.axes.size();
        own_points_ = design_.points.size();
        for (const SweepAxis& axis : design_.axes) {
            names_.push_back(axis.name);
            auto& positions = positions_.emplace_back();
            for (const ConfigValue& value : axis.values) positions.emplace(value.canonical(), positions.size());
        }
    }

    // Whether `list` is a list of points; reports it if not.
    bool is_list_of_points(std::string_view key, const ConfigValue& list) {
        if (!list.is_list()) {
            mistakes_.add(list.place(), fmt::format("'{}' must be a list of points, not {}", key, list.describe()),
                          fmt::format("{}: [{{noise_factor: 0.1, epochs: 20}}]", key));
            return false;
        }
        if (list.items().size() > kMaxEntries)
            mistakes_.add(list.place(), fmt::format("'{}' has more than {} entries", key, kMaxEntries));
        for (const ConfigValue& item : list.items())
            if (!item.is_map() || item.entries().empty())
                mistakes_.add(item.place(), "a point must be a map from parameters to values, not " +
                                                (item.is_map() ? std::string("an empty map") : item.describe()),
                              "{noise_factor: 0.1, epochs: 20}");
        return mistakes_.empty();
    }

    using Setting = std::pair<std::size_t, std::size_t>;  // axis, which of its values

    static bool has(const SweepDesign::Point& point, const Setting& setting) {
        return point.at[setting.first] == setting.second;
    }

    void read_exclude(const ConfigValue& list) {
        if (!is_list_of_points("exclude", list)) return;
        for (const ConfigValue& item : list.items()) {
            const auto settings = settings_of_matrix(item);
            if (!settings) continue;
            const auto is_named = [&](const SweepDesign::Point& point) {
                return std::ranges::all_of(*settings, [&](const Setting& one) { return has(point, one); });
            };
            if (std::erase_if(design_.points, is_named) == 0)
                mistakes_.add(item.place(), "this excludes no point: all that match are excluded already");
        }
        own_points_ = design_.points.size();
    }

    // The settings of an entry of `exclude`; nullopt if it names no point, which is reported.
    std::optional<std::vector<Setting>> settings_of_matrix(const ConfigValue& item) {
        std::vector<Setting> settings;
        for (const ConfigValue::Entry& entry : item.entries()) {
            const auto axis = static_cast<std::size_t>(std::ranges::find(names_, entry.key) - names_.begin());
            if (axis == names_.size()) {
                mistakes_.add(entry.key_place, fmt::format("'{}' is not an axis of the matrix", printable(entry.key)),
                              names_.empty() ? "there is no matrix to exclude points from" : did_you_mean(entry.key, names_));
                return std::nullopt;
            }
            const auto position = positions_[axis].find(entry.value.canonical());
            if (position == positions_[axis].end()) {
                mistakes_.add(entry.value.place(),
                              fmt::format("this excludes no point: '{}' is never {} in the matrix", printable(entry.key),
                                          entry.value.describe()),
                              "its values: " + listed(design_.axes[axis].values));
                return std::nullopt;
            }
            settings.emplace_back(axis, position->second);
        }
        return settings;
    }

    void read_include(const ConfigValue& list) {
        if (!is_list_of_points("include", list)) return;
        for (const ConfigValue& item : list.items()) {
            std::vector<Setting> own, added;
            for (const ConfigValue::Entry& entry : item.entries()) {
                const Setting setting = setting_of(entry);
                (setting.first < own_axes_ ? own : added).push_back(setting);
            }
            include(item.place(), own, added);
        }
    }

    // An entry of `include` may have parameters and values that the matrix does not have.
    Setting setting_of(const ConfigValue::Entry& entry) {
        const auto axis = static_cast<std::size_t>(std::ranges::find(names_, entry.key) - names_.begin());
        if (axis == names_.size()) {
            if (axis == kMaxAxes) refuse(entry.key_place, fmt::format("more than {} parameters are swept", kMaxAxes));
            names_.push_back(entry.key);
            positions_.emplace_back();
            design_.axes.push_back({entry.key, {}, false, entry.key_place});
            for (SweepDesign::Point& point : design_.points) point.at.emplace_back();
        }
        const auto [position, is_new] = positions_[axis].emplace(entry.value.canonical(), positions_[axis].size());
        if (is_new) design_.axes[axis].values.push_back(entry.value);
        return {axis, position->second};
    }

    void include(const Place& place, const std::vector<Setting>& own, const std::vector<Setting>& added) {
        bool matches = false, changes = false;
        for (std::size_t i = 0; i < own_points_; ++i) {
            SweepDesign::Point& point = design_.points[i];
            if (!std::ranges::all_of(own, [&](const Setting& one) { return has(point, one); })) continue;
            matches = true;
            for (const Setting& one : added) {
                changes = changes || !has(point, one);
                point.at[one.first] = one.second;
            }
        }
        if (matches && !changes) mistakes_.add(place, "this changes nothing: the points that it matches have these settings already");
        if (matches) return;
        check_count(place, design_.points.size() + 1);
        SweepDesign::Point& point = design_.points.emplace_back();
        point.place = place;
        point.at.resize(names_.size());
        for (const auto& settings : {own, added})
            for (const auto& [axis, position] : settings) point.at[axis] = position;
    }

    void read_repeat(const ConfigValue& names) {
        if (names.is_scalar()) {
            design_.repeat = {names};
            return;
        }
        const bool are_names = std::ranges::all_of(names.items(), [](const ConfigValue& one) { return one.is_scalar(); });
        if (!names.is_list() || names.items().empty() || !are_names)
            mistakes_.add(names.place(), "'repeat' must name swept parameters, or be none",
                          "repeat: [seed], or for no repetitions: repeat: none");
        else
            design_.repeat = names.items();
    }

    SweepDesign design_;
    std::size_t own_axes_ = 0, own_points_ = 0;  // of the matrix; they come first
    std::vector<std::string> names_;             // by axis
    std::vector<std::map<std::string, std::size_t>> positions_;  // by axis: canonical text -> which value
    Diagnostics mistakes_;
};

}  // namespace

SweepDesign product_of(std::vector<SweepAxis> axes) {
    check_axes(axes);
    SweepDesign design{{}, {SweepDesign::Point{}}};
    std::size_t count = 1;
    for (const SweepAxis& axis : axes) {
        count *= axis.values.size();  // each has at most kMaxValues, and `count` was checked
        check_count(axis.place, count);
    }
    for (const SweepAxis& axis : axes) {
        std::vector<SweepDesign::Point> longer;
        longer.reserve(design.points.size() * axis.values.size());
        for (const SweepDesign::Point& point : design.points) {
            for (std::size_t i = 0; i < axis.values.size(); ++i) {
                longer.push_back(point);
                longer.back().at.emplace_back(i);
            }
        }
        design.points = std::move(longer);
    }
    design.axes = std::move(axes);
    return design;
}

SweepDesign product_of(const SweepDesign& slow, const SweepDesign& fast) {
    SweepDesign design{slow.axes, {}, slow.repeat};
    design.axes.insert(design.axes.end(), fast.axes.begin(), fast.axes.end());
    check_axes(design.axes);
    check_count(fast.axes.empty() ? Place{} : fast.axes.back().place, slow.points.size() * fast.points.size());
    for (const SweepDesign::Point& first : slow.points) {
        for (const SweepDesign::Point& second : fast.points) {
            SweepDesign::Point& point = design.points.emplace_back(first);
            point.at.insert(point.at.end(), second.at.begin(), second.at.end());
        }
    }
    return design;
}

SweepDesign design_from_yaml(const ConfigValue& section) {
    return SectionReader().read(section);
}

}  // namespace satdl
