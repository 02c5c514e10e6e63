// A store is damaged in every way that a disk, a person or another program can think of: what is damaged is found before a byte of
// it is used, moved to quarantine, named, and recomputed with the bytes that it had.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>

#include "pipeline/records/run_record.h"
#include "pipeline/store/recipe.h"
#include "tests/support/small_run.h"

using namespace satdl;
using namespace satdl::test;
namespace fs = std::filesystem;

namespace {

// A working folder as it is after some runs, to be damaged again and again.
struct Template {
    TempFolder folder{TempFolder::Where::Memory};

    explicit Template(bool finished) {
        const auto files = real_file_system();
        static_cast<void>(small_run(folder.path(), *files, 3));
        if (finished) static_cast<void>(small_run(folder.path(), *files));
    }
    // Of this folder itself, since the index holds where it was.
    void copy_to(const fs::path& root) const {
        fs::remove_all(root);
        fs::copy(folder.path(), root, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
};

enum class Damaged { Objects, Checkpoints, Index, Records };

std::vector<fs::path> files_of(Damaged part, const fs::path& store) {
    std::vector<fs::path> paths;
    if (part == Damaged::Index) return {store / "index.sqlite"};
    const fs::path folder = store / (part == Damaged::Objects ? "objects" : part == Damaged::Checkpoints ? "checkpoints" : "runs");
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
}

void overwrite(const fs::path& path, const std::string& text) {
    fs::remove(path);
    write_text(path, text);
}

// One damage; says what it was. `older`: the same folder, earlier.
std::string damage(const std::vector<fs::path>& paths, const fs::path& root, const fs::path& older, std::mt19937_64& dice) {
    const auto below = [&](std::uint64_t end) { return dice() % end; };
    const fs::path& path = paths[below(paths.size())];
    std::string text = file_text(path);
    std::string what;
    switch (below(6)) {
        case 0:
            text[below(text.size())] ^= static_cast<char>(1U << below(8));
            what = "a flipped bit";
            break;
        case 1:
            text.resize(below(text.size()));
            what = "cut";
            break;
        case 2: {
            const std::size_t page = below(text.size()) / 4096 * 4096;
            for (std::size_t i = page; i < std::min(text.size(), page + 4096); ++i) text[i] = '\0';
            what = "a page of zeros";
            break;
        }
        case 3:
            text += std::string(1 + below(5000), static_cast<char>(below(256)));
            what = "a longer tail";
            break;
        case 4: {
            const fs::path& other = paths[below(paths.size())];
            const std::string others = file_text(other);
            overwrite(other, text);
            text = others;
            what = "swapped";
            break;
        }
        default: {
            const fs::path before = older / path.lexically_relative(root);
            text = fs::exists(before) ? file_text(before) : file_text(paths.front());
            what = "an older version or another file put back";
        }
    }
    overwrite(path, text);
    return what + ": " + path.filename().string();
}

// Which of the artifacts are not what they were.
std::vector<Digest> altered_objects(const fs::path& root) {
    std::vector<Digest> altered;
    const auto now = texts_below(root / "store/objects");
    for (const auto& [stage, key] : small_truth().keys) {
        const std::string path = key.hex().substr(0, 2) + "/" + key.hex() + ".h5";
        const auto found = now.find(path);
        if (found != now.end() && found->second != small_truth().objects.at(path)) altered.push_back(key);
    }
    return altered;
}

// Each altered artifact is refused by name and moved to quarantine; every other is read as it was.
void check_found(SmallProcess& process, const std::vector<Digest>& altered, std::uint64_t& found) {
    for (const auto& [stage, key] : small_truth().keys) {
        const bool is_altered = std::ranges::find(altered, key) != altered.end();
        try {
            const auto outcome = process.store().load(key);
            CHECK_FALSE((outcome && is_altered));
            if (outcome) CHECK(port_digests(*outcome) == small_truth().outputs.at(stage));
        } catch (const DamagedArtifact& error) {
            CHECK(is_altered);
            CHECK(std::string(error.what()).find(key.hex()) != std::string::npos);
            ++found;
        }
    }
}

// What the records of a working folder say. `before`: the same folder undamaged.
struct RecordsFound {
    std::uint64_t altered = 0, told = 0;
};
void check_records(const fs::path& root, const fs::path& before, FileSystem& files, RecordsFound& found) {
    for (const std::string& name : recorded_runs(before / "store", files)) {
        const std::string text = record_text(root / "store", name, files), whole = record_text(before / "store", name, files);
        const Record record = checked_record(text, name);
        const std::vector<std::string> written = checked_record(whole, name).lines;
        for (const std::string& line : record.lines) CHECK(std::ranges::find(written, line) != written.end());
        if (text == whole) continue;
        ++found.altered;
        const bool told = !record.damaged.empty() || record.torn > 0;
        CHECK((told || whole.starts_with(text)));  // cut between two lines: undetectable
        if (told) ++found.told;
    }
    for (const auto& [stage, key] : small_truth().keys) {
        std::vector<std::string> damaged;
        const auto made = find_producer(root / "store", key, files, damaged);
        if (!made) continue;
        const std::string whole = record_text(before / "store", made->run, files);
        CHECK(whole.find(fmt::format(R"("seconds":{})", nlohmann::json(made->seconds).dump())) != std::string::npos);
        CHECK(whole.find(fmt::format(R"("wall_time":{},"stage":"{}")", nlohmann::json(made->wall_time).dump(), stage)) != std::string::npos);
    }
}

}  // namespace

TEST_CASE("a damaged file is found before it is used, moved to quarantine, and recomputed with the same bytes") {
    const std::uint64_t count = count_from("SATDL_CORRUPTIONS", 1200);
    const std::uint64_t seed = count_from("SATDL_SEED", 1);
    const Template finished(true), interrupted(false);
    const auto real = real_file_system();
    const TempFolder folder(TempFolder::Where::Memory);
    std::mt19937_64 dice(seed);
    std::uint64_t damages[4] = {}, altered_count = 0, found = 0;
    RecordsFound records;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto part = static_cast<Damaged>(i % 4);
        const Template& before = part == Damaged::Checkpoints || i / 4 % 3 == 0 ? interrupted : finished;
        before.copy_to(folder.path());
        const std::string what = damage(files_of(part, folder.path() / "store"), folder.path(),
                                        (&before == &finished ? interrupted : finished).folder.path(), dice);
        INFO("seed " << seed << ", number " << i << ": " << what);
        const auto altered = altered_objects(folder.path());
        check_records(folder.path(), before.folder.path(), *real, records);
        ++damages[static_cast<int>(part)];
        altered_count += altered.size();

        if (i % 2 == 0) {  // as `satdl cache verify` does
            SmallProcess process(folder.path(), *real);
            check_found(process, altered, found);
            const auto again = process.run();
            CHECK(wrong_after(folder.path(), again) == "");
        } else {  // a run that needs what is damaged, and then all of it looked at
            const std::vector<std::string> stages{"verdict", "parity", "trained", "halves"};
            fs::remove(folder.path() / "store/objects" / small_truth().keys.at(stages[i / 2 % 4]).hex().substr(0, 2) /
                       (small_truth().keys.at(stages[i / 2 % 4]).hex() + ".h5"));
            const auto first = small_run(folder.path(), *real);
            if (first) CHECK(small_truth().contradicted_by(*first) == "");
            const auto left = altered_objects(folder.path());
            found += altered.size() - std::min(altered.size(), left.size());
            SmallProcess process(folder.path(), *real);
            check_found(process, left, found);
            CHECK(wrong_after(folder.path(), process.run()) == "");
        }
    }
    CHECK(found == altered_count);
    note_figure(fmt::format("corruptions (seed {}): {} of artifacts, {} of checkpoints, {} of the index, {} of run records", seed, damages[0],
                            damages[1], damages[2], damages[3]),
                count,
                fmt::format("{} of {} altered artifacts found before use, all recomputed as recorded; no damage changed a result; of {} altered "
                            "records, {} reported, the others cut between two lines; no line was read that was not written",
                            found, altered_count, records.altered, records.told));
}
