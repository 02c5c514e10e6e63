#include "pipeline/os/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace satdl {
namespace {

// A note: its header, its name and its content, the last two padded to four bytes.
std::string build_id_among(std::string_view notes) {
    const auto padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
    while (notes.size() >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) header;
        std::memcpy(&header, notes.data(), sizeof header);
        notes.remove_prefix(sizeof header);
        const std::size_t name = padded(header.n_namesz), content = padded(header.n_descsz);
        if (notes.size() < name + content) break;
        if (header.n_type == NT_GNU_BUILD_ID && notes.substr(0, header.n_namesz) == std::string_view("GNU", 4))
            return std::string(notes.substr(name, header.n_descsz));
        notes.remove_prefix(name + content);
    }
    return "";
}

// The first object that the loader reports is the program.
int read_program(dl_phdr_info* object, std::size_t, void* id) {
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) continue;
        const auto* const notes = reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr);
        std::string found = build_id_among({notes, segment.p_memsz});
        if (!found.empty()) *static_cast<std::string*>(id) = std::move(found);
    }
    return 1;
}

}  // namespace

std::string program_build_id() {
    std::string id;
    ::dl_iterate_phdr(read_program, &id);
    return id;
}

}  // namespace satdl
