#include "commands/shared/share_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/archive/tar_file.h"
#include "pipeline/core/ascii.h"
#include "pipeline/core/json.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/staged_file.h"
#include "pipeline/store/store_lock.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

constexpr const char* kContents = "share.json";
constexpr int kFormat = 1;
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::uint64_t kMaxContents = 64 << 20, kMaxRecord = std::uint64_t{1} << 30;  // bytes
constexpr std::size_t kMaxId = 200;

std::string artifact_entry(const Digest& key) {
    return fmt::format("{}/{}/{}{}", store_layout::kArtifacts, key.hex().substr(0, 2), key.hex(),
                       store_layout::kArtifactExtension);
}
std::string record_entry(const std::string& run) {
    return fmt::format("{}/{}/events.jsonl", store_layout::kRuns, run);
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

// As satdl makes them: "20261129T123649.108909-19841". Nothing else may become a folder of the store.
bool is_run_id(std::string_view id) {
    return id.size() <= kMaxId && is_made_of(id, ".-") && is_digit(id.front());
}

// What the file should have: by the name of its entry.
struct Expected {
    std::optional<Digest> artifact;  // else a record, of ...
    std::string run;
    std::uint64_t bytes = 0;
};
using Contents = std::map<std::string, Expected>;

class Importer {
public:
    explicit Importer(fs::path path) : path_(std::move(path)), tar_(open_tar(path_)) { read_contents(); }

    ImportedShare run(const fs::path& store) {
        check_space(store);
        OpenStore open(store, Access::ReadWrite);
        const StoreLock lock = StoreLock::shared(open.folder());
        const fs::path staging = open.folder() / store_layout::kStaging;
        open.files().make_folders(staging);
        while (const auto entry = tar_->next()) stage(*entry, staging, open);
        if (staged_.size() < contents_.size())
            throw damaged(fmt::format("{} of its {} entries are missing: it was cut off", contents_.size() - staged_.size(),
                                      contents_.size()));
        return publish(open);
    }

private:
    struct Staged {
        const Expected* expected = nullptr;
        std::unique_ptr<StagedFile> file;  // null: the store has the same
        ArtifactHeader header;             // of an artifact
    };

    [[nodiscard]] Error damaged(const std::string& what) const {
        return Error(ExitCode::Store, fmt::format("{}: {}; nothing was imported", printable(path_.string()), what),
                     "`satdl export` writes it again");
    }

    void read_contents() {
        const auto first = tar_->next();
        if (!first || first->name != kContents || !first->is_file || first->bytes > kMaxContents)
            throw Error(ExitCode::Store, fmt::format("{}: does not begin with {}", printable(path_.string()), kContents),
                        "satdl import takes what `satdl export WHAT FILE.tar` wrote");
        std::string text(first->bytes, '\0');
        std::span<std::byte> rest = std::as_writable_bytes(std::span(text));
        while (!rest.empty()) {
            const std::size_t count = tar_->read(rest);
            if (count == 0) throw damaged("it was cut off");
            rest = rest.subspan(count);
        }
        const Json json = Json::parse(text, nullptr, false);
        try {
            if (const int format = json.at("satdl_share"); format != kFormat)
                throw Error(
                    ExitCode::Store,
                    fmt::format("{}: is of format {}, and this satdl reads {}", printable(path_.string()), format, kFormat),
                    "use the satdl that wrote it, or a newer one");
            for (const Json& one : json.at("artifacts")) {
                const auto key = Digest::from_hex(one.at("key").get<std::string>());
                if (!key) throw damaged("it names what is no key");
                contents_[artifact_entry(*key)] = {*key, "", one.at("bytes").get<std::uint64_t>()};
            }
            for (const Json& one : json.at("runs")) {
                const std::string run = one.at("run");
                if (!is_run_id(run)) throw damaged(fmt::format("'{}' is not the id of a run", printable(run)));
                contents_[record_entry(run)] = {std::nullopt, run, one.at("bytes").get<std::uint64_t>()};
                if (contents_[record_entry(run)].bytes > kMaxRecord)
                    throw damaged(fmt::format("the record of run {} is too large", run));
            }
        } catch (const Json::exception&) {
            throw damaged(fmt::format("its {} is not a list of what is in it", kContents));
        }
    }

    void check_space(const fs::path& store) const {
        std::uint64_t bytes = 0;
        std::error_code error;
        const auto own = static_cast<std::uint64_t>(fs::file_size(path_, error));
        for (const auto& [name, expected] : contents_) {
            if (expected.bytes > own) throw damaged(fmt::format("it says that {} is larger than the whole file", name));
            bytes += expected.bytes;
        }
        if (const std::uint64_t free = real_file_system()->free_bytes(store); bytes > free)
            throw Error(ExitCode::Store,
                        fmt::format("{} needs {}, but {} are free in {}", printable(path_.string()), bytes_text(bytes),
                                    bytes_text(free), printable(store.string())),
                        "free some space: `satdl cache gc -n` lists what could go");
    }

    void stage(const TarEntry& entry, const fs::path& staging, OpenStore& open) {
        const auto found = contents_.find(entry.name);
        if (found == contents_.end())
            throw damaged(fmt::format("its entry '{}' is not one that its {} lists", printable(entry.name), kContents));
        const Expected& expected = found->second;
        if (!entry.is_file) throw damaged(fmt::format("{} is not a plain file", entry.name));
        if (entry.bytes != expected.bytes)
            throw damaged(fmt::format("{} has {} bytes instead of {}", entry.name, entry.bytes, expected.bytes));
        if (staged_.contains(entry.name)) throw damaged(fmt::format("it has {} twice", entry.name));
        Staged staged{
            &expected, std::make_unique<StagedFile>(staging, fs::path(entry.name).filename().string(), staged_.size()), {}};
        copy(entry, *staged.file);
        if (expected.artifact)
            check_artifact(entry, staged, open);
        else
            check_record(entry, staged, open);
        staged_.emplace(entry.name, std::move(staged));
    }

    void copy(const TarEntry& entry, StagedFile& file) {
        std::vector<std::byte> piece(kPieceBytes);
        std::uint64_t copied = 0;
        while (const std::size_t count = tar_->read(piece)) {
            file.write(std::span(piece).first(count));
            copied += count;
        }
        if (copied != entry.bytes) throw damaged(fmt::format("{} was cut off", entry.name));
        file.make_durable();
    }

    void check_artifact(const TarEntry& entry, Staged& staged, OpenStore& open) {
        try {
            staged.header = read_header(open.files(), staged.file->path());
            if (staged.header.key != *staged.expected->artifact)
                throw damaged(fmt::format("{} is the artifact of another key", entry.name));
            verify_artifact(staged.header, open.files().map(staged.file->path()).bytes, entry.name);
        } catch (const DamagedArtifact&) {
            throw damaged(fmt::format("{} does not match its digests", entry.name));
        }
        try {
            const auto there = open.store().header(staged.header.key);
            if (!there) return;
            if (there->port_digests != staged.header.port_digests)
                throw damaged(fmt::format(
                    "{} differs from the store's own artifact of this key, so one of them is not what its recipe makes",
                    entry.name));
            staged.file.reset();
        } catch (const DamagedArtifact&) {  // quarantined: this one takes its place
        }
    }

    void check_record(const TarEntry& entry, Staged& staged, OpenStore& open) {
        const std::string& run = staged.expected->run;
        const std::string text = open.files().read(staged.file->path(), 0, entry.bytes);
        const Record record = checked_record(text, run);
        if (!record.damaged.empty()) throw damaged(damage_text(record, run));
        if (record.unchecked > 0) throw damaged(fmt::format("the record of run {} has lines without a check", run));
        note_dag(record);
        const std::string own = record_text(open.folder(), run, open.files());
        if (own.empty()) return;
        if (!own.starts_with(text) && !text.starts_with(own))  // a note may have been added on either side
            throw damaged(fmt::format("its record of run {} differs from the store's own", run));
        staged.file.reset();
    }

    void note_dag(const Record& record) {
        for (const std::string& line : record.lines) {
            const Json event = Json::parse(line, nullptr, false);
            if (event.value("event", "") != "run_started") continue;
            if (const auto dag = event.find("dag"); dag != event.end() && dag->is_string())
                imported_.dags.insert(dag->get<std::string>());
            return;
        }
    }

    ImportedShare publish(OpenStore& open) {
        for (auto& [name, staged] : staged_) {
            const Expected& expected = *staged.expected;
            if (expected.artifact) {
                ++imported_.artifacts;
                imported_.bytes += expected.bytes;
                if (!staged.file) continue;
                if (open.store().adopt(staged.header, staged.file->path()) == Published::New) ++imported_.new_artifacts;
            }
        }
        for (auto& [name, staged] : staged_) {  // once all that they speak of is there
            const Expected& expected = *staged.expected;
            if (expected.artifact) continue;
            ++imported_.runs;
            if (!staged.file) continue;
            const fs::path record = record_path(open.folder(), expected.run);
            open.files().make_folders(record.parent_path());
            fs::permissions(staged.file->path(), fs::perms::owner_write, fs::perm_options::add);  // for notes
            if (open.files().link_new(staged.file->path(), record) == LinkResult::Linked) ++imported_.new_runs;
            open.files().sync_folder(record.parent_path());
        }
        return std::move(imported_);
    }

    const fs::path path_;
    const std::unique_ptr<TarReader> tar_;
    Contents contents_;
    std::map<std::string, Staged> staged_;  // by entry
    ImportedShare imported_;
};

}  // namespace

void write_share(const fs::path& path, OpenStore& open, const Share& share) {
    std::map<Digest, MappedFile> artifacts;
    Json contents = {{"satdl_share", kFormat}, {"artifacts", Json::array()}, {"runs", Json::array()}};
    for (const Digest& key : share.artifacts) {
        const fs::path file = open.store().path_of(key);
        if (!open.store().load(key))  // checks every byte
            throw Error(ExitCode::Usage, fmt::format("the artifact {} is gone from the store", key.hex().substr(0, 12)),
                        "a run of the DAG makes it again");
        const MappedFile& mapped = artifacts.emplace(key, open.files().map(file)).first->second;
        contents["artifacts"].push_back({{"key", key.hex()}, {"bytes", mapped.bytes.size()}});
    }
    std::map<std::string, std::string> records;
    for (const std::string& run : share.runs) {
        std::string text;  // the good lines: those of a run that died may end in half a one
        for (const std::string& line : read_record(open.folder(), run, open.files()).lines) text += line + '\n';
        contents["runs"].push_back({{"run", run}, {"bytes", text.size()}});
        records.emplace(run, std::move(text));
    }
    const auto tar = create_tar(path);
    const auto add = [&](const std::string& name, std::span<const std::byte> bytes) {
        tar->begin(name, bytes.size());
        tar->write(bytes);
    };
    add(kContents, bytes_of(contents.dump()));
    for (const auto& [key, mapped] : artifacts) add(artifact_entry(key), mapped.bytes);
    for (const auto& [run, text] : records) add(record_entry(run), bytes_of(text));
    tar->finish();
}

ImportedShare import_share(const fs::path& path, const fs::path& store) {
    return Importer(path).run(store);
}

bool looks_like_tar(const fs::path& path) {
    constexpr std::size_t kMagicAt = 257;
    std::array<char, kMagicAt + 5> start{};
    std::ifstream file(path, std::ios::binary);
    return file.read(start.data(), start.size()) && std::string_view(start.data() + kMagicAt, 5) == "ustar";
}

}  // namespace satdl
