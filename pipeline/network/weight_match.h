// Which array of a file is which tensor of a network.
//
// A tensor is found by its name: the layer's (or what the file calls the layer), a dot, and what PyTorch calls the tensor
// ("conv_1.weight", "features.0.weight"). Nothing is guessed from shapes: an array under another name is an error whose hint
// says what it could be.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/network/network.h"

namespace satdl {

struct WeightMisfit {
    enum class Of { File, Names };  // which parameter is at fault

    Of of = Of::File;
    std::string text, hint;
};

struct WeightMatch {
    std::map<std::string, std::string> arrays;  // tensor of the network -> array of the file
    std::vector<WeightMisfit> misfits;          // none: every tensor has its array, and every array its tensor
};

// `input`: a sample's shape, which the network can read. `arrays`: what the file has. `names`: "conv_1=features.0,
// dense_1=classifier.1": what the file calls layers; the others have the same name there. PyTorch's counters
// "...num_batches_tracked" need no tensor.
[[nodiscard]] WeightMatch match_weights(const Network& network, const Shape& input,
                                        const std::map<std::string, ArrayType>& arrays, std::string_view names);

// `names` under which the layers of the file, in the order of their numbers, fit those of the network; "" if they do not.
[[nodiscard]] std::string fitting_names(const Network& network, const Shape& input,
                                        const std::map<std::string, ArrayType>& arrays);

// What the file calls its layers, in the order of the numbers in their names: "features.2" before "features.10"; each with
// its arrays, by what follows the last dot.
struct FileLayer {
    std::string name;
    std::map<std::string, ArrayType> arrays;
};
[[nodiscard]] std::vector<FileLayer> layers_of(const std::map<std::string, ArrayType>& arrays);

}  // namespace satdl
