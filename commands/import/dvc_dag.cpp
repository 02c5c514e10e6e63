#include "commands/import/dvc_dag.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <utility>

#include "pipeline/core/ascii.h"
#include "pipeline/core/json.h"
#include "pipeline/core/shell_words.h"
#include "pipeline/executors/declarations.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostLookedAt = 1000;  // files of a folder, to tell code from data
constexpr std::array<std::string_view, 10> kUsualVariables{"PATH",   "HOME",     "USER", "LOGNAME", "LANG",
                                                           "LC_ALL", "LC_CTYPE", "TZ",   "PWD",     "TMPDIR"};

// A map, entry by entry, as the DAG file says it.
class MapBuilder {
public:
    void add(std::string key, ConfigValue value) { entries_.push_back({std::move(key), {}, std::move(value)}); }
    void add(std::string key, std::string text) { add(std::move(key), ConfigValue::of_text(std::move(text))); }
    void add_unless_empty(std::string key, MapBuilder map) {
        if (!map.entries_.empty()) add(std::move(key), std::move(map).build());
    }
    [[nodiscard]] ConfigValue build() && { return ConfigValue::map(std::move(entries_)); }

private:
    std::vector<ConfigValue::Entry> entries_;
};

ConfigValue list_of(const std::vector<std::string>& texts) {
    std::vector<ConfigValue> items;
    for (const std::string& text : texts) items.push_back(ConfigValue::of_text(text));
    return ConfigValue::list(std::move(items));
}

// An entry of deps, outs, metrics or plots: a path, or a map from it to what else there is to say.
struct Entry {
    enum class Section { Deps, Outs, Metrics, Plots };
    Section section = Section::Deps;
    ConfigValue path{};
    ConfigValue options{};
};

std::vector<Entry> entries_of(const ConfigValue& body, const char* key, Entry::Section section) {
    std::vector<Entry> found;
    const ConfigValue* list = body.find(key);
    if (list == nullptr) return found;
    for (const ConfigValue& one : list->items()) {
        if (one.is_scalar()) found.push_back({section, one, {}});
        for (const ConfigValue::Entry& entry : one.entries())
            found.push_back({section, ConfigValue::scalar(entry.key, true, entry.key_place), entry.value});
    }
    return found;
}

std::vector<Entry> outs_of(const ConfigValue& body) {
    std::vector<Entry> outs = entries_of(body, "outs", Entry::Section::Outs);
    for (Entry& one : entries_of(body, "metrics", Entry::Section::Metrics)) outs.push_back(std::move(one));
    for (Entry& one : entries_of(body, "plots", Entry::Section::Plots)) outs.push_back(std::move(one));
    return outs;
}

// The name of a port or of files after a path: "data/${item}/raw.csv" is raw. None of `taken`.
std::string name_after(const std::string& path, std::set<std::string>& taken) {
    std::string plain;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path.compare(i, 2, "${") == 0) i = std::min(path.find('}', i), path.size());
        else plain += path[i];
    }
    while (plain.ends_with('/')) plain.pop_back();
    const fs::path file = fs::path(plain).filename();
    std::string name = file.stem().string();
    if (name.starts_with('.') || std::ranges::none_of(name, is_alphanumeric))
        name = fs::path(plain).parent_path().filename().string();  // "models/${item}.pt"
    for (char& c : name)
        if (!is_alphanumeric(c)) c = '_';
    while (name.starts_with('_')) name.erase(0, 1);
    while (name.ends_with('_')) name.pop_back();
    if (name.empty() || is_digit(name.front())) name = "data" + (name.empty() ? name : "_" + name);
    const std::string ending = file.extension().string();
    std::string unique = name;
    if (taken.contains(unique) && is_made_of(ending, ".")) unique += "_" + ending.substr(1);
    for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{}_{}", name, i);
    return unique;
}

std::string normal(const std::string& path) {
    std::string text = fs::path(path).lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

bool is_below(const std::string& path, const std::string& folder) {
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// `folder`, which is the path or above it, as the DAG says it.
std::string begin_of(const DvcText& path, const std::string& folder) {
    const fs::path dag(path.dag), value(path.value), wanted(folder);
    const auto parts = [](const fs::path& one) { return std::distance(one.begin(), one.end()); };
    if (parts(dag) != parts(value) || parts(wanted) > parts(value)) return folder;  // a value has a '/' within; or a folder of outputs
    fs::path begin;
    auto part = dag.begin();
    for (auto i = parts(wanted); i > 0; --i) begin /= *part++;
    return begin.string();
}

bool leaves_folder(const std::string& path) { return path == ".." || path.starts_with("../"); }

bool is_remote(const std::string& path) { return path.find("://") != std::string::npos; }

// Commands that DVC runs one after the other, as one text for the shell: each in a shell of its own, and none after one that failed.
std::string in_a_row(const std::vector<std::string>& commands, bool is_followed) {
    if (commands.size() == 1 && !is_followed) return commands.front();
    std::string text;
    for (const std::string& one : commands) text += fmt::format("{}(\n{}\n)", text.empty() ? "" : " && ", one);
    return text;
}

// Words of the command that may name files which it reads, roughly: not those behind a '>'.
std::vector<std::string> words_of(const std::string& command) {
    std::string apart;
    for (const char c : command) {
        if (c == '>') apart += " > ";
        else apart += std::string_view("|;&<()").find(c) != std::string_view::npos ? ' ' : c;
    }
    std::vector<std::string> words = shell_words(apart).value_or(std::vector<std::string>());
    for (std::size_t i = words.size(); i-- > 0;)
        if (words[i] == ">")
            words.erase(words.begin() + static_cast<std::ptrdiff_t>(i),
                        words.begin() + static_cast<std::ptrdiff_t>(std::min(i + 2, words.size())));
    return words;
}

// Variables that the command takes from the environment: capitals, after a '$', and not set by itself.
std::vector<std::string> variables_of(const std::string& command) {
    std::vector<std::string> names;
    for (std::size_t at = command.find('$'); at != std::string::npos; at = command.find('$', at + 1)) {
        std::size_t begin = at + 1;
        if (begin < command.size() && command[begin] == '{') ++begin;
        std::size_t end = begin;
        while (end < command.size() && (is_upper(command[end]) || is_digit(command[end]) || command[end] == '_')) ++end;
        const std::string name = command.substr(begin, end - begin);
        if (!is_identifier(name) || (end < command.size() && is_lower(command[end]))) continue;
        const bool is_known =
            std::ranges::find(kUsualVariables, name) != kUsualVariables.end() || std::ranges::find(names, name) != names.end();
        if (!is_known && command.find(name + "=") == std::string::npos) names.push_back(name);
    }
    return names;
}

void set(ConfigValue& map, std::span<const std::string> parts, const ConfigValue& value) {
    std::vector<ConfigValue::Entry> entries = map.entries();
    auto found = std::ranges::find(entries, parts.front(), &ConfigValue::Entry::key);
    if (found == entries.end()) found = entries.insert(entries.end(), {parts.front(), {}, ConfigValue::map({})});
    if (parts.size() == 1) found->value = value;
    else if (found->value.is_map()) set(found->value, parts.subspan(1), value);  // else all of it stands there already
    map = ConfigValue::map(std::move(entries));
}

class Translation {
public:
    Translation(DvcFile& file, ImportNotes& notes) : file_(file), notes_(notes) {}

    ConfigValue dag() {
        find_makers();
        MapBuilder stages;
        for (const DvcStage& stage : file_.stages()) {
            if (is_frozen(stage)) continue;
            if (const std::optional<ConfigValue> body = common_body(stage)) {
                add_stage(stages, stage, *body);
                continue;
            }
            if (!stage.members.empty())
                notes_.warn(stage.place,
                            fmt::format("the stages of '{}' differ in more than their items: each is an entry of its own, as '{}'",
                                        stage.name, name_of(stage, stage.members.front())));
            for (const DvcMember& member : stage.members) stages.add(name_of(stage, member), this->body(stage, member, Names::Pasted));
        }
        MapBuilder dag;
        if (const ConfigValue params = file_.parameters().for_dag(); !params.entries().empty()) dag.add("params", params);
        dag.add("stages", std::move(stages).build());
        return std::move(dag).build();
    }

private:
    // Who makes a path.
    struct Maker {
        const DvcStage* stage;
        const DvcMember* member;
        std::string port;
    };
    // How a stage of a group refers to what differs from stage to stage.
    enum class Names {
        Own,      // ${item}, ${key}: also in the names of the stages from which it reads
        Written,  // ${item}, ${key}, but the stages from which it reads by their names
        Pasted,   // by values
    };

    static bool is_frozen(const DvcStage& stage) {
        const ConfigValue* frozen = stage.body.find("frozen");
        return frozen != nullptr && frozen->as_boolean().value_or(false);
    }

    static void add_stage(MapBuilder& stages, const DvcStage& stage, const ConfigValue& body) {
        if (stage.group == DvcStage::Group::None) return stages.add(stage.name, body);
        MapBuilder group;
        group.add(stage.group == DvcStage::Group::Foreach ? "foreach" : "matrix", stage.items);
        group.add("do", body);
        stages.add(stage.name, std::move(group).build());
    }

    // Of a stage that is not one entry with its group.
    static std::string name_of(const DvcStage& stage, const DvcMember& member) {
        std::string name = member.suffix.empty() ? stage.name : fmt::format("{}-{}", stage.name, member.suffix);
        for (char& c : name)
            if (!is_made_of(std::string_view(&c, 1), "_-")) c = '-';
        return name;
    }

    // ---- paths ----

    // Below the folder of dvc.yaml; nullopt: a note was made.
    std::optional<DvcText> path_of(const DvcStage& stage, const DvcScope& scope, const ConfigValue& written) {
        const ConfigValue* wdir = stage.body.find("wdir");
        const auto path = scope.resolve(written, DvcScope::Use::Path, notes_);
        const auto folder = wdir != nullptr ? scope.resolve(*wdir, DvcScope::Use::Path, notes_) : DvcText{};
        if (!path || !folder) return std::nullopt;
        DvcText whole{normal((fs::path(folder->dag) / path->dag).string()), normal((fs::path(folder->value) / path->value).string())};
        if (is_remote(path->value)) {
            notes_.fail(written.place(), fmt::format("{} is not a file of this machine", printable(path->value)),
                        "fetch it in a stage of its own, or beforehand");
            return std::nullopt;
        }
        if (!leaves_folder(whole.value)) return whole;
        notes_.fail(written.place(), fmt::format("{} is outside the folder of dvc.yaml", printable(whole.value)),
                    "the program finds files below that folder alone: move dvc.yaml upwards, or name the file by its absolute path");
        return std::nullopt;
    }

    void find_makers() {
        for (const DvcStage& stage : file_.stages()) {
            std::set<std::string> taken;
            std::vector<std::string>& ports = ports_[&stage];
            const std::vector<Entry> outs = outs_of(stage.body);
            for (const Entry& out : outs) ports.push_back(name_after(out.path.text(), taken));
            if (is_frozen(stage)) {
                notes_.warn(stage.body.find("frozen")->place(),
                            fmt::format("the stage '{}' is frozen, so it is left out: what it made is taken as it is", stage.name));
                continue;
            }
            for (const DvcMember& member : stage.members) {
                for (std::size_t i = 0; i < outs.size(); ++i)
                    if (const auto path = path_of(stage, member.scope, outs[i].path))
                        makers_.emplace(path->value, Maker{&stage, &member, ports[i]});
                for (const Entry& dep : entries_of(stage.body, "deps", Entry::Section::Deps))
                    if (const auto path = path_of(stage, member.scope, dep.path)) read_.insert(path->value);
            }
        }
    }

    // ---- groups ----

    // What all stages of the group say; nullopt: they differ.
    std::optional<ConfigValue> common_body(const DvcStage& stage) {
        if (stage.members.empty()) return std::nullopt;
        is_one_entry_.emplace(&stage, true);  // true: in a circle, which is an error of the DAG
        if (stage.group == DvcStage::Group::None) return body(stage, stage.members.front(), Names::Own);
        for (const Names names : {Names::Own, Names::Written}) {
            const ConfigValue first = body(stage, stage.members.front(), names);
            const std::string text = first.canonical();
            if (std::ranges::all_of(stage.members, [&](const DvcMember& one) { return body(stage, one, names).canonical() == text; }))
                return first;
        }
        is_one_entry_[&stage] = false;
        return std::nullopt;
    }

    bool is_one_entry(const DvcStage& stage) {
        if (!is_one_entry_.contains(&stage)) (void)common_body(stage);
        return is_one_entry_.at(&stage);
    }

    // The stage that makes it, as `in` names it.
    std::string reference(const Maker& maker, const DvcMember& reader, Names names) {
        const std::string& suffix = maker.member->suffix;
        std::string port = "." + maker.port;
        if (!is_one_entry(*maker.stage)) return name_of(*maker.stage, *maker.member) + port;
        if (suffix.empty()) return maker.stage->name + port;
        return fmt::format("{}@{}{}", maker.stage->name, names == Names::Own ? own_suffix(*maker.member, reader) : suffix, port);
    }

    static std::string own_suffix(const DvcMember& maker, const DvcMember& reader) {
        if (maker.suffix == reader.suffix) return "${key}";
        if (maker.axes.empty()) return part_of_item("", maker.suffix, reader);
        std::string text;
        for (const DvcMember::Axis& axis : maker.axes) text += (text.empty() ? "" : ",") + part_of_item(axis.name, axis.part, reader);
        return text;
    }

    // `${item.axis}` of the axis of the reader that has this part, preferably of that name; else the part.
    static std::string part_of_item(const std::string& axis, const std::string& part, const DvcMember& reader) {
        const DvcMember::Axis* found = nullptr;
        for (const DvcMember::Axis& one : reader.axes)
            if (one.is_item && one.part == part && (found == nullptr || one.name == axis)) found = &one;
        if (found != nullptr) return fmt::format("${{item.{}}}", found->name);
        return reader.axes.empty() && reader.suffix == part ? "${key}" : part;
    }

    // ---- one stage ----

    struct Ports {
        MapBuilder in, files, out, paths;
        std::vector<std::string> sources;
        std::set<std::string> names;
        std::set<std::string> placed;  // paths in its folder
    };

    ConfigValue body(const DvcStage& stage, const DvcMember& member, Names names) {
        const DvcScope scope = names == Names::Pasted ? member.scope.without_group() : member.scope;
        Ports ports;
        for (const std::string& port : ports_.at(&stage)) ports.names.insert(port);
        const std::vector<Entry> outs = outs_of(stage.body);
        MapBuilder config_files = config_of(stage, scope, ports);
        std::set<std::string> own;
        for (const Entry& out : outs)
            if (const auto path = path_of(stage, scope, out.path)) own.insert(path->value);
        for (const Entry& dep : entries_of(stage.body, "deps", Entry::Section::Deps)) add_dep(stage, member, scope, dep, names, ports);
        const bool has_deps = !ports.placed.empty();
        const std::vector<DvcText> commands = commands_of(stage, scope);
        for (const DvcText& command : commands) add_named(stage, scope, command.value, own, ports);
        for (std::size_t i = 0; i < outs.size(); ++i) add_out(stage, member, scope, outs[i], ports_.at(&stage)[i], ports);

        MapBuilder body;
        if (const ConfigValue* description = stage.body.find("desc")) body.add("about", without_references(*description));
        body.add("kind", "command");
        std::vector<std::string> texts, values;
        for (const DvcText& command : commands) {
            texts.push_back(command.dag);
            values.push_back(command.value);
        }
        body.add("run", outs.empty() ? in_a_row(texts, true) + " && : > {out.done}" : in_a_row(texts, false));
        body.add("shell", ConfigValue::of(true));
        add_folder(stage, scope, body);
        body.add_unless_empty("in", std::move(ports.in));
        body.add_unless_empty("files", std::move(ports.files));
        if (!ports.sources.empty()) body.add("sources", list_of(ports.sources));
        body.add_unless_empty("config_files", std::move(config_files));
        if (const std::vector<std::string> passed = variables_of(in_a_row(values, false)); !passed.empty())
            body.add("pass", list_of(passed));
        const ConfigValue* always = stage.body.find("always_changed");
        if ((always != nullptr && always->as_boolean().value_or(false)) || (!has_deps && outs.empty()))
            body.add("versions", ConfigValue::list({list_of({"date", "+%s%N"})}));  // it is another each time
        if (outs.empty()) ports.out.add("done", "file");
        body.add("out", std::move(ports.out).build());
        body.add_unless_empty("paths", std::move(ports.paths));
        warn_of_keys(stage);
        return std::move(body).build();
    }

    void warn_of_keys(const DvcStage& stage) {
        constexpr std::array<std::string_view, 12> kCarried{"cmd",     "wdir",  "deps",   "params",         "vars", "outs",
                                                            "metrics", "plots", "frozen", "always_changed", "desc", "matrix"};
        constexpr std::array<std::string_view, 6> kLists{"deps", "params", "vars", "outs", "metrics", "plots"};
        for (const ConfigValue::Entry& entry : stage.body.entries()) {
            if (std::ranges::find(kCarried, entry.key) == kCarried.end())
                notes_.warn(entry.key_place, fmt::format("'{}' is not carried over", entry.key));
            const auto is_entry = [](const ConfigValue& one) { return one.is_scalar() || one.is_map(); };
            if (std::ranges::find(kLists, entry.key) != kLists.end() &&
                (!entry.value.is_list() || !std::ranges::all_of(entry.value.items(), is_entry)))
                notes_.fail(entry.value.place(), fmt::format("'{}' must be a list of texts or maps", entry.key));
        }
    }

    void add_folder(const DvcStage& stage, const DvcScope& scope, MapBuilder& body) {
        const ConfigValue* wdir = stage.body.find("wdir");
        const auto folder = wdir != nullptr ? scope.resolve(*wdir, DvcScope::Use::Path, notes_) : std::nullopt;
        if (!folder || normal(folder->value) == ".") return;
        if (leaves_folder(normal(folder->value)) || fs::path(folder->value).is_absolute())
            notes_.fail(wdir->place(), fmt::format("{} is outside the folder of dvc.yaml", printable(folder->value)),
                        "move dvc.yaml upwards");
        body.add("folder", normal(folder->dag));
    }

    std::vector<DvcText> commands_of(const DvcStage& stage, const DvcScope& scope) {
        const ConfigValue& cmd = *stage.body.find("cmd");
        std::vector<ConfigValue> lines = cmd.items();
        if (cmd.is_scalar()) {  // DVC runs its lines one by one
            std::string_view rest = cmd.text();
            while (!rest.empty()) {
                const std::size_t end = std::min(rest.find('\n'), rest.size());
                if (!trimmed(rest.substr(0, end)).empty())
                    lines.push_back(ConfigValue::scalar(std::string(rest.substr(0, end)), true, cmd.place()));
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
        std::erase_if(lines,
                      [](const ConfigValue& line) { return trimmed(line.text()).starts_with('#'); });  // nothing for a subshell to run
        std::vector<DvcText> commands;
        for (const ConfigValue& line : lines)
            if (auto command = scope.resolve(line, DvcScope::Use::Command, notes_)) commands.push_back(std::move(*command));
        if (lines.empty()) notes_.fail(cmd.place(), "the command is empty");
        if (commands.empty()) commands.push_back({"false", "false"});  // its mistake is noted
        return commands;
    }

    // ---- what it reads ----

    void add_dep(const DvcStage& stage, const DvcMember& member, const DvcScope& scope, const Entry& dep, Names names, Ports& ports) {
        const auto path = path_of(stage, scope, dep.path);
        if (!path) return;
        bool is_made = false;
        for (const auto& [made, maker] : makers_) {
            if (made != path->value && !is_below(made, path->value) && !is_below(path->value, made)) continue;
            if (maker.stage == &stage && maker.member == &member)
                return notes_.fail(dep.path.place(),
                                   fmt::format("{} is both a dependency and an output of this stage", printable(path->value)),
                                   "DVC refuses it, too: what a program changes in place needs another name");
            is_made = true;
            if (is_below(path->value, made))
                notes_.warn(dep.path.place(), fmt::format("{} is part of the output {} of stage '{}': a change of any part of it counts",
                                                          path->value, made, maker.member->lock_name));
            add_in(maker, member, names, begin_of(*path, made), made, ports);
        }
        if (is_made) return note_others(dep.path.place(), path->value);
        if (ports.placed.contains(path->value)) return;
        add_file(*path, dep.path.place(), ports);
    }

    void add_in(const Maker& maker, const DvcMember& reader, Names names, const std::string& path, const std::string& value, Ports& ports) {
        if (!ports.placed.insert(value).second) return;
        const std::string name = name_after(path, ports.names);
        ports.in.add(name, reference(maker, reader, names));
        ports.paths.add(name, path);
    }

    // A folder may have files that no stage makes beside those that one does.
    void note_others(const Place& place, const std::string& folder) {
        std::error_code error;
        for (fs::directory_iterator entry(file_.folder() / folder, error), end; !error && entry != end; entry.increment(error)) {
            const std::string path = normal((fs::path(folder) / entry->path().filename()).string());
            const bool is_made = std::ranges::any_of(
                makers_, [&](const auto& one) { return one.first == path || is_below(one.first, path) || is_below(path, one.first); });
            if (!is_made && entry->path().filename() != ".gitignore")
                return notes_.warn(
                    place,
                    fmt::format("{} also has files that no stage makes, such as {}, which are not carried over: name them under 'files'",
                                folder, path));
        }
    }

    void add_file(const DvcText& path, const Place& place, Ports& ports) {
        std::error_code error;
        const fs::path on_disk = file_.folder() / path.value;
        if (!fs::exists(on_disk, error))
            notes_.fail(place, fmt::format("there is no file {}", printable(path.value)),
                        "the DAG runs once it is there; `dvc pull` may fetch it");
        ports.placed.insert(path.value);
        if (is_of_code(on_disk) && !fs::path(path.value).is_absolute()) ports.sources.push_back(path.dag);
        else ports.files.add(name_after(path.dag, ports.names), path.dag);
    }

    // A folder if at least half of its files are.
    static bool is_of_code(const fs::path& path) {
        std::error_code error;
        if (!fs::is_directory(path, error)) return is_code(path);
        std::size_t code = 0, files = 0;
        for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end && files < kMostLookedAt;
             entry.increment(error)) {
            if (!entry->is_regular_file(error)) continue;
            ++files;
            code += is_code(entry->path());
        }
        return files > 0 && code * 2 >= files;
    }

    // Files of the project that the command names and that are no deps: DVC lets it read them, satdl does not.
    void add_named(const DvcStage& stage, const DvcScope& scope, const std::string& command, const std::set<std::string>& own,
                   Ports& ports) {
        const ConfigValue& cmd = *stage.body.find("cmd");
        for (const std::string& word : words_of(command)) {
            const std::size_t equals = word.find('=');
            const std::string name = word.starts_with('-') && equals != std::string::npos ? word.substr(equals + 1) : word;
            if (name.empty() || name.starts_with('-') || name.starts_with('/') || is_remote(name)) continue;
            const ConfigValue* wdir = stage.body.find("wdir");
            const auto folder = wdir != nullptr ? scope.resolve(*wdir, DvcScope::Use::Path, notes_) : DvcText{};
            if (!folder) return;
            const std::string path = normal((fs::path(folder->value) / name).string());
            std::error_code error;
            if (leaves_folder(path) || !fs::is_regular_file(file_.folder() / path, error)) continue;
            const auto covers = [&](const std::string& one) { return one == path || is_below(path, one) || is_below(one, path); };
            const bool is_made = std::ranges::any_of(makers_, [&](const auto& one) { return covers(one.first); });
            if (is_made || std::ranges::any_of(ports.placed, covers) || std::ranges::any_of(own, covers)) continue;
            notes_.warn(cmd.place(), fmt::format("the command names {}, which is not under 'deps': here a change of it counts", path));
            const std::string literal = without_references(ConfigValue::of_text(path)).text();
            add_file({literal, path}, cmd.place(), ports);
        }
    }

    // ---- parameters ----

    // By file the parameters that the stage names, for programs that read them there.
    MapBuilder config_of(const DvcStage& stage, const DvcScope& scope, Ports& ports) {
        std::map<std::string, ConfigValue> files;  // by path
        const ConfigValue* params = stage.body.find("params");
        const auto add = [&](const ConfigValue& file, const ConfigValue* name) {
            const auto path = path_of(stage, scope, file);
            if (!path) return;
            const ConfigValue* const values = file_.parameters().file(path->value, file.place());
            std::error_code error;
            if (values == nullptr && fs::exists(file_.folder() / path->value, error) && !ports.placed.contains(path->value)) {
                notes_.warn(file.place(),
                            fmt::format("{} counts as a whole: parameters of .yaml, .yml and .json files count one by one", path->value));
                add_file(*path, file.place(), ports);
            }
            if (values == nullptr) return;
            ports.placed.insert(path->value);
            ConfigValue& config = files.emplace(path->value, ConfigValue::map({})).first->second;
            std::vector<std::string> wanted;
            if (name == nullptr) {
                for (const ConfigValue::Entry& entry : values->entries()) wanted.push_back(entry.key);
            } else if (const auto text = scope.resolve(*name, DvcScope::Use::Path, notes_)) {
                wanted.push_back(text->value);
            }
            for (const std::string& one : wanted) {
                if (value_at(*values, one) == nullptr) {
                    notes_.fail(name->place(), fmt::format("{} has no '{}'", printable(path->value), printable(one)));
                    continue;
                }
                const std::vector<std::string> parts = name == nullptr ? std::vector{one} : parts_of_name(one);
                set(config, parts, file_.parameters().parameter(path->value, one));
            }
        };
        if (params != nullptr) {
            for (const ConfigValue& one : params->items()) {
                const ConfigValue usual = ConfigValue::scalar("params.yaml", true, one.place());
                if (one.is_scalar()) add(usual, &one);
                for (const ConfigValue::Entry& entry : one.entries()) {
                    const ConfigValue file = ConfigValue::scalar(entry.key, true, entry.key_place);
                    if (entry.value.items().empty()) add(file, nullptr);
                    for (const ConfigValue& name : entry.value.items()) add(file, &name);
                }
            }
        }
        for (const Entry& dep : entries_of(stage.body, "deps", Entry::Section::Deps)) {
            const auto path = path_of(stage, scope, dep.path);
            if (path && files.contains(path->value)) add(dep.path, nullptr);  // all of it counts
        }
        MapBuilder config;
        for (auto& [path, values] : files) config.add(path, std::move(values));
        return config;
    }

    // ---- what it writes ----

    void add_out(const DvcStage& stage, const DvcMember& member, const DvcScope& scope, const Entry& out, const std::string& port,
                 Ports& ports) {
        const auto path = path_of(stage, scope, out.path);
        if (!path) return;
        if (fs::path(path->value).is_absolute())
            notes_.fail(out.path.place(), fmt::format("{} is outside the folder of dvc.yaml", printable(path->value)),
                        "let the program write below it");
        ports.out.add(port, kind_of(stage, member, out, path->value));
        ports.paths.add(port, path->dag);
        if (out.section == Entry::Section::Plots)
            return notes_.warn(out.path.place(), fmt::format("{} is kept, but not drawn", out.path.text()));
        for (const ConfigValue::Entry& option : out.options.entries()) {
            if (option.key == "cache" || option.key == "desc" || option.value.canonical() == "false") continue;
            if (option.key == "persist")
                notes_.warn(option.key_place, fmt::format("'persist' is not carried over: the program does not find the {} of its last run",
                                                          out.path.text()));
            else notes_.warn(option.key_place, fmt::format("'{}' of {} is not carried over", option.key, out.path.text()));
        }
    }

    std::string kind_of(const DvcStage& stage, const DvcMember& member, const Entry& out, const std::string& path) {
        const bool is_metrics = out.section == Entry::Section::Metrics || is_listed_as_metrics(path);
        if (is_metrics) {
            const bool is_read = std::ranges::any_of(read_, [&](const std::string& one) { return one == path || is_below(path, one); });
            if (path.ends_with(".json") && !is_read && has_only_numbers(path)) return "metrics";
            notes_.warn(out.path.place(), fmt::format("{} is kept as a file, so its numbers do not appear in tables: {}", out.path.text(),
                                                      is_read                     ? "a stage reads it"
                                                      : !path.ends_with(".json") ? "metrics are JSON"
                                                                                  : "not all that it holds are numbers"));
        }
        if (is_metrics) return "file";
        std::error_code error;
        const fs::file_status status = fs::status(file_.folder() / path, error);
        if (fs::exists(status)) return fs::is_directory(status) ? "folder" : "file";
        const auto text = member.scope.resolve(out.path, DvcScope::Use::Path, notes_);
        if (const auto locked = file_.is_folder(member, text ? text->value : path)) return *locked ? "folder" : "file";
        if (out.path.text().ends_with('/')) return "folder";
        if (is_written_by_shell(stage, out.path.text())) return "file";
        const bool is_folder = !fs::path(path).has_extension();
        notes_.warn(out.path.place(), fmt::format("{} is neither there yet nor in dvc.lock: it is taken for a {}", out.path.text(),
                                                  is_folder ? "folder" : "file"));
        return is_folder ? "folder" : "file";
    }

    // As in `wc -l data > PATH`.
    static bool is_written_by_shell(const DvcStage& stage, const std::string& path) {
        const ConfigValue& cmd = *stage.body.find("cmd");
        std::vector<ConfigValue> commands = cmd.items();
        commands.push_back(cmd);
        return std::ranges::any_of(commands, [&](const ConfigValue& one) {
            return one.text().find("> " + path) != std::string::npos || one.text().find(">" + path) != std::string::npos;
        });
    }

    bool is_listed_as_metrics(const std::string& path) const {
        const ConfigValue* metrics = file_.document().find("metrics");
        return metrics != nullptr &&
               std::ranges::any_of(metrics->items(), [&](const ConfigValue& one) { return one.is_scalar() && normal(one.text()) == path; });
    }

    // As far as the disk knows.
    bool has_only_numbers(const std::string& path) const {
        std::ifstream file(file_.folder() / path);
        if (!file) return true;
        const Json json = Json::parse(file, nullptr, false);
        return json.is_object() && are_numbers(json);
    }

    static bool are_numbers(const Json& json) {
        return json.is_number() || (json.is_object() && std::ranges::all_of(json, [](const Json& one) { return are_numbers(one); }));
    }

    DvcFile& file_;
    ImportNotes& notes_;
    std::map<const DvcStage*, std::vector<std::string>> ports_;  // by output
    std::map<std::string, Maker> makers_;                        // by path
    std::set<std::string> read_;                                 // paths under deps
    std::map<const DvcStage*, bool> is_one_entry_;               // with its group
};

}  // namespace

ConfigValue dag_of(DvcFile& file, ImportNotes& notes) { return Translation(file, notes).dag(); }

}  // namespace satdl
