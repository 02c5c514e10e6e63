// Of ELF (elf(5)) this needs little: the section of dynamic symbols and its names, and the segments, which say where in the file an
// address lies. Relocations are not applied: an integer constant has none.
#include "pipeline/catalog/elf.h"

#include <elf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace satdl {
namespace {

using Bytes = std::span<const std::byte>;

std::optional<Bytes> part(Bytes file, std::uint64_t offset, std::uint64_t size) {
    if (offset > file.size() || size > file.size() - offset) return std::nullopt;
    return file.subspan(offset, size);
}

template <typename T>
std::optional<T> read(Bytes file, std::uint64_t offset) {
    const auto bytes = part(file, offset, sizeof(T));
    if (!bytes) return std::nullopt;
    T value;
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
}

// A table of `count` entries; nothing where it does not lie within the file.
template <typename T>
std::optional<std::vector<T>> table(Bytes file, std::uint64_t offset, std::uint64_t count) {
    if (count > file.size() / sizeof(T)) return std::nullopt;
    const auto bytes = part(file, offset, count * sizeof(T));
    if (!bytes) return std::nullopt;
    std::vector<T> entries(count);
    if (count != 0) std::memcpy(entries.data(), bytes->data(), bytes->size());
    return entries;
}

bool is_ours(const Elf64_Ehdr& header) {
    const auto order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
           header.e_ident[EI_DATA] == order && header.e_shentsize == sizeof(Elf64_Shdr) && header.e_phentsize == sizeof(Elf64_Phdr);
}

bool is_called(Bytes names, std::uint32_t at, std::string_view name) {
    const auto text = part(names, at, name.size() + 1);
    return text && std::memcmp(text->data(), name.data(), name.size()) == 0 && text->back() == std::byte{0};
}

// Where in the address space an exported object of at least `size` bytes lies.
std::optional<std::uint64_t> address_of(Bytes file, const Elf64_Ehdr& header, std::string_view name, std::size_t size) {
    const auto sections = table<Elf64_Shdr>(file, header.e_shoff, header.e_shnum);
    if (!sections) return std::nullopt;
    for (const Elf64_Shdr& section : *sections) {
        if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections->size()) continue;
        const Elf64_Shdr& of_names = (*sections)[section.sh_link];
        const auto names = part(file, of_names.sh_offset, of_names.sh_size);
        const auto symbols = table<Elf64_Sym>(file, section.sh_offset, section.sh_size / sizeof(Elf64_Sym));
        if (!names || !symbols) return std::nullopt;
        for (const Elf64_Sym& symbol : *symbols) {
            const bool defined = symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT;
            if (defined && symbol.st_size >= size && is_called(*names, symbol.st_name, name)) return symbol.st_value;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<Bytes> exported_data(Bytes file, std::string_view name, std::size_t size) {
    const auto header = read<Elf64_Ehdr>(file, 0);
    if (!header || !is_ours(*header)) return std::nullopt;
    const auto address = address_of(file, *header, name, size);
    const auto segments = table<Elf64_Phdr>(file, header->e_phoff, header->e_phnum);
    if (!address || !segments) return std::nullopt;
    for (const Elf64_Phdr& segment : *segments) {
        if (segment.p_type != PT_LOAD || *address < segment.p_vaddr || *address - segment.p_vaddr > segment.p_filesz) continue;
        const std::uint64_t within = *address - segment.p_vaddr;
        if (size > segment.p_filesz - within || segment.p_offset > file.size()) continue;
        return part(file, segment.p_offset + within, size);
    }
    return std::nullopt;
}

}  // namespace satdl
