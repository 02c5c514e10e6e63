#include "pipeline/dag_file/dag_includes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "pipeline/os/file_system.h"

namespace satdl {
namespace {

const std::vector<std::string>& sections() {
    static const std::vector<std::string> names{"name",     "about",    "numerics", "include", "params",
                                                "profiles", "networks", "executors", "defaults", "sweep", "stages"};
    return names;
}

bool is_map_section(std::string_view name) {
    return name == "params" || name == "profiles" || name == "networks" || name == "executors" || name == "defaults" ||
           name == "stages";
}

struct IncludedFile {
    std::filesystem::path path;
    ConfigValue document;
    std::set<const SourceText*> reaches;  // the files that it includes, directly or through others
};

const SourceText* source_of(const ConfigValue& document) {
    return document.place().source.get();
}

// Reads the files of a DAG; included files come before those that include them.
class Collector {
public:
    Collector(const DocumentReader& read, const FileIdentity& identity, const IncludeLimits& limits)
        : read_(read), identity_(identity), limits_(limits) {}

    // The files that it reaches, including itself.
    const std::set<const SourceText*>& add(const std::filesystem::path& path, ConfigValue document) {
        const std::string identity = identity_(path);
        bytes_ += document.place() ? document.place().source->text.size() : 0;
        open_.push_back({identity, path.lexically_normal().string()});
        std::set<const SourceText*> reaches{source_of(document)};
        for (const ConfigValue& one : included(document)) {
            const auto& inner = include(path.parent_path() / one.text(), one);
            reaches.insert(inner.begin(), inner.end());
        }
        open_.pop_back();
        files_.push_back({path, std::move(document), reaches});
        return reached_[identity] = std::move(reaches);
    }

    [[nodiscard]] const std::vector<IncludedFile>& files() const { return files_; }

private:
    // The paths in `include`: one text, or a list of texts.
    static std::vector<ConfigValue> included(const ConfigValue& document) {
        const ConfigValue* section = document.find("include");
        if (!section || section->is_null()) return {};
        const std::vector<ConfigValue> paths = section->is_list() ? section->items() : std::vector<ConfigValue>{*section};
        for (const ConfigValue& one : paths) {
            if (!one.is_scalar() || one.text().empty())
                refuse(one.place(), "'include' must be a path or a list of paths, not " + one.describe(),
                       "include: [common/data.yaml]");
            if (one.text().find("${") != std::string::npos)
                refuse(one.place(), "a path in 'include' cannot contain '${...}'",
                       "files are included before parameters are known");
        }
        return paths;
    }

    const std::set<const SourceText*>& include(const std::filesystem::path& path, const ConfigValue& written) {
        const std::string identity = identity_(path);
        if (const auto known = reached_.find(identity); known != reached_.end()) return known->second;
        if (const auto before = std::ranges::find(open_, identity, &OpenFile::identity); before != open_.end()) {
            std::string cycle;
            for (auto one = before; one != open_.end(); ++one) cycle += printable(one->name) + " -> ";
            refuse(written.place(), "these files include each other in a cycle: " + cycle + printable(before->name));
        }
        if (reached_.size() + open_.size() >= limits_.files)
            refuse(written.place(), fmt::format("more than {} files are included", limits_.files));
        ConfigValue document = read(path, written);
        const std::size_t bytes = document.place() ? document.place().source->text.size() : 0;
        if (bytes_ + bytes > limits_.bytes)
            refuse(written.place(), fmt::format("with this file, the DAG's files are larger than {} MiB", limits_.bytes >> 20));
        if (!document.is_map())
            refuse(document.place(), "an included file must be a map of sections, not " + document.describe(),
                   "see docs/yaml.md");
        return add(path, std::move(document));
    }

    // A file that cannot be read is a mistake of the line that includes it; mistakes within the file have their own places.
    ConfigValue read(const std::filesystem::path& path, const ConfigValue& written) const {
        try {
            return read_(path);
        } catch (const Error& error) {
            std::vector<Diagnostic> diagnostics = error.diagnostics();
            for (Diagnostic& one : diagnostics)
                if (!one.place) one.place = written.place();
            throw Error(error.code(), std::move(diagnostics));
        }
    }

    struct OpenFile {
        std::string identity;
        std::string name;  // for messages
    };

    const DocumentReader& read_;
    const FileIdentity& identity_;
    const IncludeLimits limits_;
    std::vector<IncludedFile> files_;
    std::map<std::string, std::set<const SourceText*>> reached_;  // by identity, once the file is complete
    std::vector<OpenFile> open_;                                  // files whose includes are being read, outermost first
    std::size_t bytes_ = 0;
};

// Merges the sections of one file into those of the files before it.
class Joiner {
public:
    explicit Joiner(Diagnostics& mistakes) : mistakes_(mistakes) {}

    void add(const IncludedFile& file, bool is_root) {
        for (const ConfigValue::Entry& entry : file.document.entries()) {
            if (std::find(sections().begin(), sections().end(), entry.key) == sections().end()) {
                mistakes_.add(entry.key_place, fmt::format("a DAG file has no section '{}'", printable(entry.key)),
                              did_you_mean(entry.key, sections()));
            } else if (is_map_section(entry.key)) {
                if (entry.value.is_map())
                    merge(entry, file);
                else if (!entry.value.is_null())
                    mistakes_.add(entry.value.place(),
                                  fmt::format("'{}' must be a map, not {}", entry.key, entry.value.describe()));
            } else if (entry.key == "numerics" || (is_root && entry.key != "include")) {
                merge(entry, file);
            }
        }
    }

    [[nodiscard]] ConfigValue joined(const Place& place) { return ConfigValue::map(std::move(sections_), place); }

private:
    void merge(const ConfigValue::Entry& section, const IncludedFile& file) {
        const bool may_replace =
            section.key == "params" || section.key == "profiles" || section.key == "executors" ||
                                 section.key == "defaults" || section.key == "numerics";
        merge_entry(sections_, section, {file, may_replace, section.value.is_map()});
    }

    struct Rule {
        const IncludedFile& file;
        bool may_replace;  // a definition in a file that this one includes
        bool is_section;   // a map whose entries are joined, whatever the rule for a single entry
    };

    void merge_entry(std::vector<ConfigValue::Entry>& base, const ConfigValue::Entry& over, const Rule& rule) {
        const auto found = std::find_if(base.begin(), base.end(), [&](const auto& one) { return one.key == over.key; });
        if (found == base.end()) {
            base.push_back(over);
        } else if (found->value.is_map() && over.value.is_map() && (rule.may_replace || rule.is_section)) {
            std::vector<ConfigValue::Entry> inner = found->value.entries();
            for (const ConfigValue::Entry& one : over.value.entries()) merge_entry(inner, one, {rule.file, rule.may_replace, false});
            found->value = ConfigValue::map(std::move(inner), over.value.place());
        } else if (rule.may_replace && rule.file.reaches.contains(found->key_place.source.get())) {
            *found = over;
        } else {
            mistakes_.add(over.key_place, fmt::format("'{}' is defined twice", printable(over.key)),
                          "first defined at " + found->key_place.text() +
                              (rule.may_replace ? "\nneither file includes the other: set it in only one of them" : ""));
        }
    }

    Diagnostics& mistakes_;
    std::vector<ConfigValue::Entry> sections_;
};

}  // namespace

std::string identity_on_disk(const std::filesystem::path& path) {
    const auto stamp = real_file_system()->stamp(path);
    return stamp ? fmt::format("{} {}", stamp->device, stamp->inode) : path.lexically_normal().string();
}

DagDocument join_includes(const std::filesystem::path& file, ConfigValue document, const DocumentReader& read,
                          const FileIdentity& identity, const IncludeLimits& limits) {
    DagDocument joined;
    if (!document.is_map()) {
        joined.mistakes.add(document.place(), "a DAG file must be a map with 'stages', not " + document.describe(),
                            "stages: {name: {kind: ...}, ...}; see docs/yaml.md");
        joined.root = std::move(document);
        return joined;
    }
    const Place place = document.place();
    Collector collector(read, identity, limits);
    collector.add(file, std::move(document));
    Joiner joiner(joined.mistakes);
    for (const IncludedFile& one : collector.files()) {
        joiner.add(one, &one == &collector.files().back());
        joined.folders.emplace(source_of(one.document), one.path.parent_path());
    }
    joined.root = joiner.joined(place);
    return joined;
}

}  // namespace satdl
