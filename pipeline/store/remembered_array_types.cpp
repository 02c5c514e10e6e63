#include "pipeline/store/remembered_array_types.h"

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "pipeline/store/source_digest.h"

namespace satdl {
namespace {

class ArrayTypes {
public:
    ArrayTypes(Index& index, FileSystem& files) : index_(index), files_(files) {}

    std::optional<ArrayType> read(const std::filesystem::path& path, const ArraySelection& selection) {
        const Columns columns = selection.columns.value_or(Columns{0, 0});
        const Known known{path.string(), selection.name, columns.first, columns.last};
        if (const auto found = known_.find(known); found != known_.end()) return found->second;
        const auto type = has_cheap_header(path) ? array_type_of_file(path, selection) : by_content(path, selection);
        return known_.emplace(known, type).first->second;
    }

private:
    using Known = std::tuple<std::string, std::string, std::int64_t, std::int64_t>;  // path, array, columns

    std::optional<ArrayType> by_content(const std::filesystem::path& path, const ArraySelection& selection) {
        const Index::Batch one_transaction(index_);
        SourceFile file;
        file.path = path;
        file.is_folder = std::filesystem::is_directory(path);
        const Digest content = source_digest(file, index_, files_);
        if (const auto remembered = index_.array_type(content, selection.name)) return remembered;
        index_.commit_so_far();
        const auto type = array_type_of_file(path, selection);
        if (type) index_.put_array_type(content, selection.name, *type);
        return type;
    }

    Index& index_;
    FileSystem& files_;
    std::map<Known, std::optional<ArrayType>> known_;
};

}  // namespace

ArrayTypeReader remembered_array_types(Index& index, FileSystem& files) {
    return [types = std::make_shared<ArrayTypes>(index, files)](const std::filesystem::path& path, const ArraySelection& selection) {
        return types->read(path, selection);
    };
}

}  // namespace satdl
