#include "pipeline/core/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "pipeline/core/ascii.h"
#include "pipeline/core/utf8.h"

namespace satdl {
namespace {

constexpr std::size_t kLongestName = 200;  // longer ones are not compared: the distance is quadratic

// What others call a thing, in lower case without '_' and '-', and what satdl calls it. A word with several meanings stands several times.
struct Synonym {
    std::string_view word, ours;
};
constexpr Synonym kSynonyms[] = {
    // parameters of training
    {"lr", "learning_rate"}, {"maxepochs", "epochs"}, {"numepochs", "epochs"}, {"batch", "batch_size"}, {"criterion", "loss"},
    {"lossfn", "loss"}, {"optim", "optimiser"}, {"scheduler", "schedule"}, {"lrscheduler", "schedule"}, {"warmup", "warmup_epochs"},
    {"stepsize", "step_epochs"}, {"gamma", "step_factor"}, {"minlr", "rate_floor"}, {"validationsplit", "validation_fraction"},
    {"valsplit", "validation_fraction"}, {"earlystopping", "patience"}, {"earlystop", "patience"}, {"gradientclipval", "clip_norm"},
    {"maxgradnorm", "clip_norm"}, {"accumulategradbatches", "accumulate"}, {"gradientaccumulationsteps", "accumulate"},
    {"l2", "weight_decay"}, {"eps", "epsilon"}, {"betas", "beta1"}, {"kernelinitializer", "initialiser"}, {"randomstate", "seed"},
    {"manualseed", "seed"}, {"numworkers", "threads"}, {"dtype", "precision"}, {"amp", "precision"}, {"model", "net"},
    {"network", "net"}, {"architecture", "net"}, {"layers", "net"}, {"labels", "target"}, {"inputs", "x"}, {"validationdata", "val_x"},
    // their values
    {"crossentropyloss", "cross_entropy"}, {"categoricalcrossentropy", "cross_entropy"}, {"nllloss", "cross_entropy"},
    {"sparsecategoricalcrossentropy", "cross_entropy"}, {"bce", "binary_cross_entropy"}, {"bceloss", "binary_cross_entropy"},
    {"meansquarederror", "mse"}, {"mseloss", "mse"}, {"momentum", "sgd"}, {"linear", "none"}, {"identity", "none"},
    // layers and their options
    {"linear", "dense"}, {"fullyconnected", "dense"}, {"fc", "dense"}, {"conv2d", "conv"}, {"convolution", "conv"},
    {"batchnorm2d", "batch_norm"}, {"batchnorm1d", "batch_norm"}, {"batchnormalization", "batch_norm"}, {"maxpool2d", "max_pool"},
    {"maxpooling2d", "max_pool"}, {"avgpool2d", "average_pool"}, {"averagepooling2d", "average_pool"}, {"upsampling2d", "upsample"},
    {"reshape", "unflatten"}, {"outchannels", "filters"}, {"kernelsize", "kernel"}, {"outfeatures", "units"}, {"poolsize", "size"},
    // stages and sections
    {"fit", "train"}, {"predict", "features"}, {"inference", "features"}, {"test", "evaluate"}, {"dataset", "load"},
    {"rescale", "normalise"}, {"target", "kind"}, {"type", "kind"}, {"deps", "in"}, {"inputs", "in"}, {"description", "about"},
    {"vars", "params"}, {"config", "params"}, {"models", "networks"}, {"steps", "stages"}, {"tasks", "stages"}, {"pipeline", "stages"},
    // commands and their options
    {"repro", "run"}, {"dag", "graph"}, {"list", "ls"}, {"ui", "report"}, {"why", "explain"}, {"prune", "gc"}, {"clean", "gc"},
    {"multirun", "sweep"}, {"override", "set"}, {"target", "until"}, {"debug", "verbose"}, {"silent", "quiet"}, {"parallel", "jobs"},
    {"workers", "jobs"},
};

// As a person compares names: the case does not count, nor '-' against '_'.
std::string folded(std::string_view name) {
    std::string text = lower(name);
    std::ranges::replace(text, '-', '_');
    return text;
}

// The candidate that others call so.
const std::string* find_synonym(std::string_view name, std::span<const std::string> candidates) {
    std::string word = folded(name);
    std::erase(word, '_');
    for (const Synonym& one : kSynonyms) {
        if (one.word != word) continue;
        if (const auto found = std::ranges::find(candidates, one.ours); found != candidates.end()) return &*found;
    }
    return nullptr;
}

// Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions, neighbours swapped.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = std::min(now[j], before_last[j - 2] + 1);
        }
        std::swap(before_last, last);
        std::swap(last, now);
    }
    return last[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
    if (name.size() > kLongestName) return std::nullopt;
    if (const std::string* synonym = find_synonym(name, candidates)) return *synonym;
    if (name.size() < 2) return std::nullopt;
    const std::string wanted = folded(name);
    std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;
    const std::string* found = nullptr;
    for (const std::string& candidate : candidates) {
        const std::size_t difference = std::max(candidate.size(), name.size()) - std::min(candidate.size(), name.size());
        if (difference >= best) continue;
        const std::size_t away = distance(wanted, folded(candidate));
        if (away >= best) continue;
        best = away;
        found = &candidate;
    }
    if (!found) return std::nullopt;
    return *found;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
    if (const auto near = nearest(name, candidates)) return fmt::format("did you mean '{}'?", printable(*near));
    if (candidates.empty()) return {};
    std::string text;
    for (const std::string& candidate : candidates) text += (text.empty() ? "known: " : ", ") + printable(candidate);
    return text;
}

}  // namespace satdl
