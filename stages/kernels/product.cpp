#include "stages/kernels/product.h"

#include <algorithm>
#include <vector>

#include "stages/kernels/elementwise.h"

namespace satdl::stages::kernels {
namespace {

constexpr std::int64_t kFewestRows = 12;           // of a task: each packs its panel for itself
constexpr std::int64_t kFewestProducts = 1 << 16;  // of a task

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}

}  // namespace

void product(const ProductShape& shape, const Matrix& a, const Matrix& b, const float* bias, float* c,
             const Workers& workers, const Scratch& scratch) {
    const std::int64_t panels = ceil_div(shape.columns, kPanel);
    const std::int64_t parts =
        std::clamp<std::int64_t>(ceil_div(2 * workers.count, panels), 1, ceil_div(shape.rows, kFewestRows));
    const std::int64_t of_panel = std::max<std::int64_t>(1, shape.rows * shape.depth * kPanel / parts);
    const std::int64_t at_once = std::clamp<std::int64_t>(kFewestProducts / of_panel, 1, panels);  // panels of a task
    std::vector<float*> packed(static_cast<std::size_t>(workers.count));
    for (float*& panel : packed) panel = scratch(shape.depth * kPanel);
    const auto of_panel_and_part = [&](std::int64_t first_column, std::int64_t part, float* panel) {
        const std::int64_t columns = std::min(kPanel, shape.columns - first_column);
        const std::int64_t first = shape.rows * part / parts, last = shape.rows * (part + 1) / parts;
        pack(shape.depth, columns, {b.data + first_column * b.column, b.row, b.column}, panel);
        multiply(last - first, columns, shape.depth, {a.data + first * a.row, a.row, a.column}, panel, kPanel,
                 c + first * shape.columns + first_column, shape.columns);
        if (bias == nullptr) return;
        for (std::int64_t i = first; i < last; ++i) add(columns, bias + first_column, c + i * shape.columns + first_column);
    };
    const std::int64_t groups = ceil_div(panels, at_once);
    workers.run(groups * parts, [&](std::int64_t task, std::int64_t worker) {
        const std::int64_t group = task / parts;
        for (std::int64_t panel = group * at_once; panel < std::min(panels, (group + 1) * at_once); ++panel)
            of_panel_and_part(panel * kPanel, task % parts, packed[static_cast<std::size_t>(worker)]);
    });
}

}  // namespace satdl::stages::kernels
