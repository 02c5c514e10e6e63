#include "pipeline/dag_file/command_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "pipeline/catalog/command_kind.h"
#include "pipeline/catalog/stage_rules.h"
#include "pipeline/core/ascii.h"
#include "pipeline/core/shell_words.h"
#include "pipeline/core/suggest.h"
#include "pipeline/dag_file/placeholders.h"
#include "pipeline/os/file_tree.h"
#include "pipeline/os/paths.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::array kOutputKinds{PortKind::Array,   PortKind::Arrays, PortKind::Metrics,
                                  PortKind::History, PortKind::File,   PortKind::Folder};
constexpr std::size_t kMaxFiles = 200'000;  // of one stage
constexpr int kMostThreads = 256;

std::vector<std::string> names_of(std::span<const PortKind> kinds) {
    std::vector<std::string> names;
    for (const PortKind kind : kinds) names.emplace_back(name_of(kind));
    return names;
}

// A path within the project, or within the program's folder: relative, and never upwards out of it.
bool stays_inside(const fs::path& path) {
    const fs::path normal = path.lexically_normal();
    return !normal.empty() && normal.is_relative() && *normal.begin() != ".." && normal != ".";
}

constexpr std::string_view kStoreFolder = ".satdl";

bool is_in_store(const fs::path& path) { return std::ranges::find(path, fs::path(kStoreFolder)) != path.end(); }

// As the links in `results/` do.
bool leads_into_store(const fs::path& path) {
    std::error_code error;
    return fs::is_symlink(path, error) && is_in_store(fs::weakly_canonical(path, error));
}

// The value as JSON that YAML 1.1 reads as the same: a number that is not whole has a point, and a sign before its exponent.
std::string config_text(const ConfigValue& value) {
    std::string text;
    if (value.is_map()) {
        for (const ConfigValue::Entry& entry : value.entries())
            text +=
                fmt::format("{}{}: {}", text.empty() ? "" : ", ", ConfigValue::of_text(entry.key).canonical(), config_text(entry.value));
        return fmt::format("{{{}}}", text);
    }
    if (value.is_list()) {
        for (const ConfigValue& item : value.items()) text += (text.empty() ? "" : ", ") + config_text(item);
        return fmt::format("[{}]", text);
    }
    text = value.canonical();
    if (value.as_number() && !value.as_integer() && text.find('.') == std::string::npos)
        text.insert(std::min(text.find('e'), text.size()), ".0");
    return text;
}

// "a: x, b: y": as part of a recipe. By name, since a record has no order of its own.
std::string listed(const std::map<std::string, std::string>& texts) {
    std::string text;
    for (const auto& [name, one] : texts) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name, one);
    return text;
}

// Of a text for the shell: between quotes, what satdl puts in place of it would mean something else.
bool has_placeholder_in_quotes(std::string_view text) {
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool doubled = i + 1 < text.size() && text[i + 1] == c;
        if (c == '{' && doubled) ++i;
        else if (c == '{' && quote != '\0') return true;
        else if (c == '\\' && quote != '\'') ++i;
        else if (c == quote) quote = '\0';
        else if (quote == '\0' && (c == '\'' || c == '"')) quote = c;
        else if (quote == '\0' && c == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\n'))
            i = std::min(text.find('\n', i), text.size());
    }
    return false;
}

// What one stage of the kind says, read key by key. Mistakes are added to `diagnostics`; reading continues after them.
class Body {
public:
    Body(CommandStage& command, const ConfigValue& body, const LocalNames& locals, Node& node, fs::path folder, UndeclaredFiles undeclared,
         Interpolation& interpolation, Diagnostics& diagnostics)
        : command_(command), body_(body), locals_(locals), node_(node), folder_(std::move(folder)), undeclared_(undeclared),
          interpolation_(interpolation), diagnostics_(diagnostics), mistakes_(diagnostics.found().size()) {}

    bool read() {
        command_.project = fs::absolute(folder_.empty() ? "." : folder_).lexically_normal();
        resolve();
        report_unknown_keys();
        read_values();
        read_files();
        read_sources();
        read_config_files();
        read_environment();
        read_versions();
        read_paths();
        read_threads();
        read_strict();
        read_run();
        add_output_param();
        node_.params = Params(std::move(values_));
        return diagnostics_.found().size() == mistakes_;
    }

private:
    void report(const Place& place, std::string message, std::string hint = {}) {
        diagnostics_.add(place ? place : node_.place, std::move(message), std::move(hint));
    }

    // All of the map, with parameters in place of `${...}`: what a record holds.
    void resolve() {
        std::vector<ConfigValue::Entry> entries;
        for (const ConfigValue::Entry& entry : body_.entries()) {
            if (entry.key == "kind" || entry.key == "in") continue;
            if (auto value = interpolation_.apply(entry.value, locals_)) entries.push_back({entry.key, entry.key_place, std::move(*value)});
        }
        command_.written = ConfigValue::map(std::move(entries), body_.place());
    }

    void report_unknown_keys() {
        const std::vector<std::string> known = known_keys(command_kind());
        for (const ConfigValue::Entry& entry : command_.written.entries()) {
            if (std::ranges::find(known, entry.key) != known.end()) continue;
            report(entry.key_place, fmt::format("stage kind 'command' has no parameter '{}'", printable(entry.key)),
                   fmt::format("{}\na value for the program stands under 'with': with: {{{}: ...}}", did_you_mean(entry.key, known),
                               printable(entry.key)));
        }
    }

    // Null is the same as absent.
    const ConfigValue* value(std::string_view key) const {
        const ConfigValue* found = command_.written.find(key);
        return found == nullptr || found->is_null() ? nullptr : found;
    }

    // The entries of a map under `key`, with names that can be placeholders.
    std::vector<ConfigValue::Entry> map_of(std::string_view key, std::string_view example) {
        const ConfigValue* found = value(key);
        if (found == nullptr) return {};
        if (!found->is_map()) {
            report(found->place(), fmt::format("'{}' must be a map, not {}", key, found->describe()), std::string(example));
            return {};
        }
        return found->entries();
    }

    // A list of texts, or one text.
    std::vector<ConfigValue> texts_of(std::string_view key, std::string_view example) {
        const ConfigValue* found = value(key);
        if (found == nullptr) return {};
        std::vector<ConfigValue> texts = found->is_list() ? found->items() : std::vector{*found};
        for (const ConfigValue& one : texts) {
            if (one.is_scalar() && !one.text().empty()) continue;
            report(one.place(),
                   fmt::format("'{}' must be a list of texts, not {}", key, found->is_list() ? "with " + one.describe() : one.describe()),
                   std::string(example));
            return {};
        }
        return texts;
    }

    void add_param(std::string name, ParamValue value) {
        command_.entry.description.params.push_back({.name = name, .fallback = "null"});
        values_.emplace(std::move(name), std::move(value));
    }

    void read_values() {
        const std::vector<std::string> reserved = known_keys(command_kind());
        for (const ConfigValue::Entry& entry : map_of("with", "with: {epochs: 20}")) {
            if (!is_dashed_identifier(entry.key) || entry.key == "work" || std::ranges::find(reserved, entry.key) != reserved.end()) {
                report(entry.key_place, fmt::format("'{}' cannot be the name of a value", printable(entry.key)),
                       "letters, digits, '_' and '-', and no key of a command stage");
                continue;
            }
            if (!entry.value.is_scalar() && !entry.value.is_null()) {
                report(entry.value.place(),
                       fmt::format("'{}' must be a number, a boolean or a text, not {}", entry.key, entry.value.describe()),
                       "one name for each value");
                continue;
            }
            add_param(entry.key, value_of(entry.value));
        }
    }

    static ParamValue value_of(const ConfigValue& value) {
        if (value.is_null()) return ParamValue(std::monostate(), value.place());
        if (const auto integer = value.as_integer()) return ParamValue(*integer, value.place());
        if (const auto number = value.as_number()) return ParamValue(*number, value.place());
        if (const auto flag = value.as_boolean()) return ParamValue(*flag, value.place());
        return ParamValue(value.text(), value.place());
    }

    void read_files() {
        std::set<std::string> shown;
        for (const ConfigValue::Entry& entry : map_of("files", "files: {raw: raw/data.csv}")) {
            if (!is_dashed_identifier(entry.key) || entry.key == kSourceRole) {
                report(entry.key_place, fmt::format("'{}' cannot be the name of files", printable(entry.key)),
                       "letters, digits, '_' and '-'");
                continue;
            }
            if (!entry.value.is_scalar() || entry.value.text().empty()) {
                report(entry.value.place(), fmt::format("'{}' must be a path, not {}", entry.key, entry.value.describe()),
                       "a file, a folder, or a pattern such as raw/*.csv");
                continue;
            }
            if (add_files(entry.key, entry.value) && !shown.insert(command_.files.back().path.string()).second)
                report(entry.value.place(), fmt::format("{} has two names", printable(entry.value.text())), "remove one of them");
        }
        std::map<std::string, std::string> paths;  // which names are what is part of the key; what is in them counts by content
        for (const CommandFiles& one : command_.files) paths.emplace(one.name, one.path.string());
        if (!paths.empty()) add_param("files", ParamValue(listed(paths)));
    }

    // False: a mistake was reported.
    bool add_files(const std::string& name, const ConfigValue& value) {
        const fs::path path = fs::path(value.text()).lexically_normal();
        if (is_within(command_.project, (command_.project / path).lexically_normal())) {
            report(value.place(), fmt::format("{} holds the whole project, with what satdl itself writes there", printable(value.text())),
                   "name the files and folders that the program reads; `satdl trace` finds them");
            return false;
        }
        if (path.is_relative() && !stays_inside(path)) {
            report(value.place(),
                   fmt::format("{} is outside the project {}", printable(value.text()), printable(command_.project.string())),
                   "relative paths stay within the folder of the DAG file; name it by its absolute path");
            return false;
        }
        CommandFiles entry{.name = name, .path = path};
        if (is_pattern(value.text())) {
            entry.kind = CommandFiles::Kind::Pattern;
            if (path.is_absolute()) {
                report(value.place(), "a pattern must be a relative path", "name the folder");
                return false;
            }
        } else if (std::error_code error; fs::is_directory(command_.project / path, error)) {
            entry.kind = CommandFiles::Kind::Folder;
        }
        if (!add_tree(name, entry.kind, path, value)) return false;
        command_.files.push_back(std::move(entry));
        return true;
    }

    // The files of one path as the node's. False: there are none, which is reported.
    bool add_tree(const std::string& role, CommandFiles::Kind kind, const fs::path& path, const ConfigValue& value) {
        const fs::path whole = command_.project / path;
        std::vector<TreeFile> found;
        try {
            if (kind == CommandFiles::Kind::Pattern) found = files_matching(command_.project, path.string(), leads_into_store);
            else if (kind == CommandFiles::Kind::Folder) found = files_below(whole);
            else if (std::error_code error; fs::is_regular_file(whole, error)) found.push_back({"", whole});
            else if (fs::exists(whole, error)) {
                report(value.place(), fmt::format("{} is neither a file nor a folder", printable(value.text())),
                       "a pipe or a device has no content that could be kept");
                return false;
            }
        } catch (const Error& error) {
            for (const Diagnostic& one : error.diagnostics()) report(value.place(), one.message, one.hint);
            return false;
        }
        const auto stored = std::ranges::find_if(found, [](const TreeFile& file) { return is_in_store(file.path); });
        if (stored != found.end()) {
            report(value.place(),
                   fmt::format("{} belongs to satdl's store, which changes with every run", printable(stored->path.string())),
                   "what a stage made is an input of another: in: {NAME: stage.output}; else name what lies outside of .satdl");
            return false;
        }
        if (found.empty()) {
            const bool is_match = kind == CommandFiles::Kind::Pattern;
            report(value.place(), is_match ? fmt::format("no file matches {}", printable(value.text()))
                                  : kind == CommandFiles::Kind::Folder ? fmt::format("the folder {} has no files", printable(value.text()))
                                                                       : fmt::format("there is no file {}", printable(value.text())),
                   fmt::format("relative paths begin at {}", printable(command_.project.string())));
            return false;
        }
        if (node_.files.size() + found.size() > kMaxFiles) {
            report(value.place(),
                   fmt::format("{} has {} files; a stage reads at most {}", printable(value.text()), found.size(), kMaxFiles),
                   "pack them into one file");
            return false;
        }
        for (TreeFile& file : found) {
            // Sources and matches of a pattern have their path in the project as their name, files of a folder that in the folder.
            std::string member = kind == CommandFiles::Kind::File ? (role == kSourceRole ? path.string() : "") : std::move(file.name);
            if (role == kSourceRole && kind == CommandFiles::Kind::Folder) member = (path / member).string();
            SourceFile source;
            source.role = role;
            source.path = std::move(file.path);
            source.member = std::move(member);
            source.place = value.place();
            node_.files.push_back(std::move(source));
        }
        return true;
    }

    void read_sources() {
        for (const ConfigValue& one : texts_of("sources", "sources: [train.py, \"lib/**/*.py\"]")) {
            const fs::path path = fs::path(one.text()).lexically_normal();
            if (!stays_inside(path)) {
                report(one.place(),
                       fmt::format("{} is outside the project {}", printable(one.text()), printable(command_.project.string())),
                       "sources are files below the folder of the DAG file");
                continue;
            }
            std::error_code error;
            const auto kind = is_pattern(one.text())                                   ? CommandFiles::Kind::Pattern
                              : fs::is_directory(command_.project / path, error) ? CommandFiles::Kind::Folder
                                                                                       : CommandFiles::Kind::File;
            (void)add_tree(std::string(kSourceRole), kind, path, one);
        }
        // Two patterns may match one file.
        std::set<std::string> seen;
        std::erase_if(node_.files, [&](const SourceFile& file) { return file.role == kSourceRole && !seen.insert(file.member).second; });
        add_executables();
    }

    void read_config_files() {
        constexpr const char* kExample = "config_files: {params.yaml: {lr: 0.1}}";
        for (const ConfigValue::Entry& entry : map_of("config_files", kExample)) {
            const std::string path = fs::path(entry.key).lexically_normal().string();
            if (!stays_inside(path)) {
                report(entry.key_place, fmt::format("'{}' must be a path in the program's folder", printable(entry.key)), kExample);
            } else if (!entry.value.is_map() && (!entry.value.is_scalar() || entry.value.as_number() || entry.value.as_boolean())) {
                report(entry.value.place(),
                       fmt::format("'{}' must be a map of values or a text, not {}", printable(entry.key), entry.value.describe()),
                       kExample);
            } else if (entry.value.is_map() && !path.ends_with(".yaml") && !path.ends_with(".yml") && !path.ends_with(".json")) {
                report(entry.key_place, fmt::format("{} cannot hold a map", printable(entry.key)),
                       "a map is written into .yaml, .yml and .json; for others, give the text itself, in quotes");
            } else if (is_declared(path) ||
                       !command_.config_files.emplace(path, entry.value.is_map() ? config_text(entry.value) : entry.value.text()).second) {
                report(entry.key_place, fmt::format("{} is declared twice", printable(entry.key)),
                       "remove it here, or under 'files' or 'sources'");
            } else {
                add_param("config_files " + path, ParamValue(command_.config_files.at(path)));
            }
        }
        record_config_files();
    }

    // By their texts: a record has no order of keys, and 5 for 5.0.
    void record_config_files() {
        std::vector<ConfigValue::Entry> texts, entries = command_.written.entries();
        for (const auto& [path, text] : command_.config_files) texts.push_back({path, {}, ConfigValue::of_text(text)});
        for (ConfigValue::Entry& entry : entries)
            if (entry.key == "config_files") entry.value = ConfigValue::map(texts, entry.value.place());
        command_.written = ConfigValue::map(std::move(entries), command_.written.place());
    }

    bool is_declared(const fs::path& path) const {
        return std::ranges::any_of(node_.files, [&](const SourceFile& file) { return path_in_folder(command_, file) == path; });
    }

    // It, or a file below it.
    bool has_declared(const fs::path& path) const {
        return std::ranges::any_of(node_.files, [&](const SourceFile& file) { return is_within(path_in_folder(command_, file), path); }) ||
               std::ranges::any_of(command_.config_files, [&](const auto& one) { return is_within(one.first, path); });
    }

    // Which files can be executed is no part of their content, and counts, too.
    void add_executables() {
        constexpr std::size_t kLongest = 1000;
        std::string names;
        for (const SourceFile& file : node_.files) {
            std::error_code error;
            if ((fs::status(file.path, error).permissions() & fs::perms::owner_exec) == fs::perms::none) continue;
            if (!names.empty()) names += ", ";
            names += path_in_folder(command_, file).string();
        }
        if (!names.empty()) add_param("executable files", ParamValue(names.size() > kLongest ? sha256(names).hex() : names));
    }

    void read_environment() {
        for (const ConfigValue::Entry& entry : map_of("env", "env: {PYTHONHASHSEED: \"0\"}")) {
            if (!is_identifier(entry.key) || !entry.value.is_scalar()) {
                report(entry.key_place,
                       fmt::format("'{}' cannot be an environment variable with {}", printable(entry.key), entry.value.describe()),
                       "env: {NAME: text}");
                continue;
            }
            command_.env.emplace(entry.key, entry.value.text());
            add_param("env " + entry.key, ParamValue(entry.value.text()));
        }
        for (const ConfigValue& one : texts_of("pass", "pass: [CUDA_VISIBLE_DEVICES]")) {
            if (!is_identifier(one.text()))
                report(one.place(), fmt::format("'{}' is not the name of an environment variable", printable(one.text())));
            else if (command_.env.contains(one.text()))
                report(one.place(), fmt::format("'{}' stands under 'env', too", one.text()), "remove one of them");
            else command_.pass.push_back(one.text());
        }
    }

    void read_versions() {
        const ConfigValue* versions = value("versions");
        if (versions == nullptr) return;
        constexpr const char* kExample = "versions: [[python3, --version]]";
        if (!versions->is_list())
            return report(versions->place(), fmt::format("'versions' must be a list of commands, not {}", versions->describe()), kExample);
        for (const ConfigValue& one : versions->items()) {
            std::vector<std::string> words;
            if (one.is_list()) {
                for (const ConfigValue& word : one.items())
                    if (word.is_scalar()) words.push_back(word.text());
                if (words.size() != one.items().size()) words.clear();
            } else if (one.is_scalar()) {
                words = shell_words(one.text()).value_or(std::vector<std::string>());
            }
            if (words.empty() || words.front().empty()) report(one.place(), "this is not a command", kExample);
            else command_.versions.push_back(std::move(words));
        }
        std::string text;
        for (const std::vector<std::string>& one : command_.versions) text += (text.empty() ? "" : "; ") + shell_quoted(one);
        if (!text.empty()) add_param("versions", ParamValue(text, versions->place()));
    }

    void read_paths() {
        std::map<std::string, std::string> owners;  // by path
        for (const ConfigValue::Entry& entry : map_of("paths", "paths: {model: models/model.pt}")) {
            const StageDescription& stage = command_.entry.description;
            if (stage.input(entry.key) == nullptr && stage.output(entry.key) == nullptr) {
                std::vector<std::string> known = names_of(stage.inputs);
                std::ranges::move(names_of(stage.outputs), std::back_inserter(known));
                report(entry.key_place, fmt::format("there is no input or output '{}'", printable(entry.key)),
                       did_you_mean(entry.key, known));
                continue;
            }
            if (!entry.value.is_scalar() || !stays_inside(entry.value.text())) {
                report(entry.value.place(),
                       fmt::format("the path of '{}' must be a relative path, not {}", entry.key, entry.value.describe()),
                       "it begins at the program's folder, and stays in it");
                continue;
            }
            std::string path = fs::path(entry.value.text()).lexically_normal().string();
            if (has_declared(path) || *fs::path(path).begin() == kStoreFolder) {
                report(entry.value.place(), fmt::format("the path of '{}', {}, is taken", entry.key, printable(path)),
                       "what 'files', 'sources' and 'config_files' place there would be overwritten; .satdl is satdl's own");
                continue;
            }
            const auto [owner, is_new] = owners.emplace(path, entry.key);
            if (!is_new) {
                report(entry.value.place(), fmt::format("'{}' and '{}' have the same path", owner->second, entry.key));
                continue;
            }
            command_.paths.emplace(entry.key, std::move(path));
        }
        if (!command_.paths.empty()) add_param("paths", ParamValue(listed(command_.paths)));
        if (const ConfigValue* folder = value("folder")) {
            if (!folder->is_scalar() || !stays_inside(folder->text())) {
                report(folder->place(), fmt::format("'folder' must be a folder of the project, not {}", folder->describe()));
                return;
            }
            command_.folder = fs::path(folder->text()).lexically_normal().string();
            std::error_code error;
            if (!fs::is_directory(command_.project / command_.folder, error))
                report(folder->place(), fmt::format("there is no folder {}", printable(folder->text())),
                       fmt::format("it begins at {}", printable(command_.project.string())));
            add_param("folder", ParamValue(command_.folder, folder->place()));
        }
    }

    void read_threads() {
        const ConfigValue* threads = value("threads");
        if (threads == nullptr || (threads->is_scalar() && threads->text() == "auto")) return;  // the program decides
        const auto number = threads->as_integer();
        if (!number || *number < 1 || *number > kMostThreads)
            return report(threads->place(),
                          fmt::format("'threads' must be a whole number from 1 to {} or auto, not {}", kMostThreads, threads->describe()));
        command_.threads = static_cast<int>(*number);
        add_param("threads", ParamValue(*number, threads->place()));
    }

    bool flag_of(std::string_view key) {
        const ConfigValue* found = value(key);
        if (found == nullptr) return false;
        const auto flag = found->as_boolean();
        if (!flag) report(found->place(), fmt::format("'{}' must be true or false, not {}", key, found->describe()));
        return flag.value_or(false);
    }

    void read_strict() {
        command_.strict = flag_of("strict");
        for (const ConfigValue& one : texts_of("allow", "allow: [/data/shared]")) {
            fs::path path = (command_.project / one.text()).lexically_normal();
            std::error_code error;
            if (fs::exists(path, error)) command_.allow.push_back(std::move(path));
            else report(one.place(), fmt::format("there is no folder {}", printable(one.text())),
                        fmt::format("relative paths begin at {}", printable(command_.project.string())));
        }
    }

    void read_run() {
        command_.shell = flag_of("shell");
        const ConfigValue* run = value("run");
        if (run == nullptr)
            return report(node_.place, "stage kind 'command' needs the parameter 'run'",
                          "run: [python3, train.py, --out, \"{out.model}\"]");
        std::vector<ConfigValue> words;
        if (run->is_list()) {
            words = run->items();
            if (command_.shell) return report(run->place(), "with 'shell', 'run' is a text", "shell: false, or a text instead of the list");
        } else if (run->is_scalar() && command_.shell) {
            words = {*run};
            if (has_placeholder_in_quotes(run->text()))
                report(run->place(), "a placeholder stands within quotes",
                       "satdl quotes it for the shell: write it without quotes, as --x={x}");
        } else if (run->is_scalar()) {
            const auto split = shell_words(run->text());
            if (!split) return report(run->place(), "a quote in 'run' is not closed, or a backslash ends it");
            for (const std::string& word : *split) words.push_back(ConfigValue::scalar(word, true, run->place()));
        }
        if (words.empty()) return report(run->place(), fmt::format("'run' must be a program with its arguments, not {}", run->describe()));
        std::vector<std::string> text;
        for (const ConfigValue& word : words) {
            if (!word.is_scalar()) {
                report(word.place(), fmt::format("an argument must be a text, not {}", word.describe()));
                continue;
            }
            auto parsed = parse_argument(word.text());
            if (const auto* mistake = std::get_if<PlaceholderMistake>(&parsed)) {
                report(word.place(), mistake->message, mistake->hint);
                continue;
            }
            command_.run.push_back(std::move(std::get<Argument>(parsed)));
            check_argument(command_.run.back(), word.place());
            text.push_back(text_of(command_.run.back()));
        }
        if (text.size() < words.size()) return;
        if (text_of(command_.run.front()).empty()) report(run->place(), "the program's name is empty");
        add_param("run", ParamValue(command_.shell ? text.front() : shell_quoted(text), run->place()));
        if (command_.shell) add_param("shell", ParamValue(true));
    }

    void check_argument(const Argument& argument, const Place& place) {
        for (const ArgumentPart& part : argument) {
            if (const auto* placeholder = std::get_if<Placeholder>(&part)) check_placeholder(*placeholder, argument, place);
        }
        const auto* const literal = argument.size() == 1 ? std::get_if<std::string>(&argument.front()) : nullptr;
        if (literal == nullptr || command_.shell) return;
        if (!literal->starts_with('-')) check_is_declared(*literal, place);
        const std::size_t equals = literal->find('=');
        if (equals != std::string::npos) check_is_declared(literal->substr(equals + 1), place);
    }

    void check_placeholder(const Placeholder& placeholder, const Argument& argument, const Place& place) {
        const StageDescription& stage = command_.entry.description;
        switch (placeholder.kind) {
            case Placeholder::Kind::Folder: return;
            case Placeholder::Kind::Value: return check_value(placeholder.name, place);
            case Placeholder::Kind::File: return check_file(placeholder.name, argument, place);
            case Placeholder::Kind::Output:
                return check_output(placeholder, place);
            case Placeholder::Kind::Input: break;
        }
        const PortDescription* input = stage.input(placeholder.name);
        if (input == nullptr)
            return report(place, fmt::format("there is no input '{}'", placeholder.name),
                          stage.inputs.empty() ? fmt::format("in: {{{}: stage.output}}", placeholder.name)
                                               : did_you_mean(placeholder.name, names_of(stage.inputs)));
        const std::vector<std::string> formats = input_formats(input->kind);
        if (placeholder.format.empty() || std::ranges::find(formats, placeholder.format) != formats.end()) return;
        report(place, fmt::format("input '{}' is {}: it cannot be written as {}", input->name, name_of(input->kind), placeholder.format),
               formats.front().empty() ? "it is as the stage that made it wrote it" : fmt::format("known: {}", fmt::join(formats, ", ")));
    }

    void check_output(const Placeholder& placeholder, const Place& place) {
        const PortDescription* output = command_.entry.description.output(placeholder.name);
        if (output == nullptr)
            return report(place, fmt::format("there is no output '{}'", placeholder.name),
                          did_you_mean(placeholder.name, names_of(command_.entry.description.outputs)));
        const std::vector<std::string> formats = output_formats(output->kind);
        if (placeholder.format.empty() || output->kind == PortKind::File || std::ranges::find(formats, placeholder.format) != formats.end())
            return;
        report(place, fmt::format("output '{}' is {}: it cannot be read from {}", output->name, name_of(output->kind), placeholder.format),
               formats.front().empty() ? "a folder has no ending" : fmt::format("known: {}", fmt::join(formats, ", ")));
    }

    void check_value(const std::string& name, const Place& place) {
        const auto found = values_.find(name);
        const ConfigValue* with = value("with");
        if (with == nullptr || with->find(name) == nullptr) {
            std::vector<std::string> known;
            if (with != nullptr)
                for (const ConfigValue::Entry& entry : with->entries()) known.push_back(entry.key);
            report(place, fmt::format("there is no value '{}'", name),
                   known.empty() ? fmt::format("with: {{{0}: ...}}; for a brace that is meant, write {{{{{0}}}}}", name)
                                 : did_you_mean(name, known));
        } else if (found != values_.end() && found->second.is_null()) {
            report(place, fmt::format("the value '{}' is null, which is no text", name), "a program finds null in $SATDL_STAGE");
        }
    }

    void check_file(const std::string& name, const Argument& argument, const Place& place) {
        const auto found = std::ranges::find(command_.files, name, &CommandFiles::name);
        if (found == command_.files.end()) {
            std::vector<std::string> known;
            for (const CommandFiles& one : command_.files) known.push_back(one.name);
            const ConfigValue* files = value("files");
            if (files != nullptr && files->find(name) != nullptr) return;  // its own mistake was reported
            report(place, fmt::format("there are no files '{}'", name),
                   known.empty() ? fmt::format("files: {{{}: PATH}}", name) : did_you_mean(name, known));
        } else if (found->kind == CommandFiles::Kind::Pattern && (argument.size() > 1 || command_.shell)) {
            report(place, fmt::format("'{{files.{}}}' is several files, so it must be an argument of its own", name));
        }
    }

    // An argument that names a file of the project: the program would not find it, since only what is declared is in its folder.
    void check_is_declared(const std::string& text, const Place& place) {
        const fs::path path = fs::path(text).lexically_normal();
        std::error_code error;
        if (undeclared_ == UndeclaredFiles::Accepted) return;
        if (text.empty() || !stays_inside(path) || !fs::is_regular_file(command_.project / path, error)) return;
        const bool is_program = command_.run.size() == 1;
        if (is_program && text.find('/') == std::string::npos) return;  // looked for in PATH
        // A program that is a link out of the project, as of a virtual environment, is an interpreter.
        const fs::path real = fs::weakly_canonical(command_.project / path, error);
        const fs::path root = fs::weakly_canonical(command_.project, error);
        if (is_program && !is_within(real, root)) return;
        const auto is_it = [&](const SourceFile& file) { return file.path == command_.project / path; };
        if (std::ranges::any_of(node_.files, is_it) || command_.config_files.contains(path.string())) return;
        report(place, fmt::format("{} is a file of the project that the stage does not declare", printable(text)),
               fmt::format("sources: [{0}], if it is code; files: {{NAME: {0}}}, if it is data", printable(text)));
    }

    void add_output_param() {
        std::map<std::string, std::string> kinds;
        for (const PortDescription& port : command_.entry.description.outputs) kinds.emplace(port.name, name_of(port.kind));
        add_param("out", ParamValue(listed(kinds)));
    }

    CommandStage& command_;
    const ConfigValue& body_;
    const LocalNames& locals_;
    Node& node_;
    const fs::path folder_;
    const UndeclaredFiles undeclared_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
    const std::size_t mistakes_;
    std::map<std::string, ParamValue> values_;
};

}  // namespace

std::shared_ptr<CommandStage> CommandReader::declare(const ConfigValue& body, const LocalNames& locals, const Place& place) {
    auto command = std::make_shared<CommandStage>();
    StageDescription& stage = command->entry.description;
    stage = {.kind = std::string(kCommandKind), .version = command_kind().version, .help = "", .memory_per_input_byte = 0};
    constexpr const char* kExample = "out: {data: array, metrics: metrics}";
    const ConfigValue* raw = body.find("out");
    const auto out = raw != nullptr ? interpolation_.apply(*raw, locals) : std::nullopt;
    if (raw == nullptr) diagnostics_.add(place, "stage kind 'command' needs the parameter 'out'", kExample);
    else if (out && !out->is_map())
        diagnostics_.add(out->place(), fmt::format("'out' must be a map of what the program writes, not {}", out->describe()), kExample);
    else if (out && out->entries().empty())
        diagnostics_.add(out->place(), "'out' is empty: a stage has at least one output", kExample);
    if (out) {
        for (const ConfigValue::Entry& entry : out->entries()) {
            const auto kind = std::ranges::find(kOutputKinds, entry.value.text(), [](PortKind one) { return name_of(one); });
            if (!is_identifier(entry.key))
                diagnostics_.add(entry.key_place, fmt::format("'{}' cannot be the name of an output", printable(entry.key)),
                                 "letters, digits and '_'");
            else if (kind == kOutputKinds.end())
                diagnostics_.add(entry.value.place(), fmt::format("an output cannot be {}", entry.value.describe()),
                                 did_you_mean(entry.value.text(), names_of(kOutputKinds)));
            else
                stage.outputs.push_back({.name = entry.key, .kind = *kind});
        }
    }
    const ConfigValue* in = body.find("in");
    if (in == nullptr) return command;
    for (const ConfigValue::Entry& entry : in->entries()) {
        if (!is_identifier(entry.key) || stage.output(entry.key) != nullptr)
            diagnostics_.add(entry.key_place, fmt::format("'{}' cannot be the name of an input", printable(entry.key)),
                             "letters, digits and '_', and not the name of an output");
        else
            stage.inputs.push_back({.name = entry.key});
    }
    return command;
}

bool CommandReader::read(CommandStage& command, const ConfigValue& body, const LocalNames& locals, Node& node) {
    const auto folder = folders_.find(node.place.source.get());
    return Body(command, body, locals, node, folder == folders_.end() ? fs::path() : folder->second, undeclared_, interpolation_,
                diagnostics_)
        .read();
}

}  // namespace satdl
