#include "stages/training_checkpoint.h"

#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "stages/tensor.h"

namespace satdl::stages {
namespace {

// Every number of a state with its name: one list for both directions.
template <typename State, typename Visit>
void each_number(State& state, Visit visit) {
    visit("epoch", state.epoch);
    visit("step", state.step);
    visit("steps", state.steps);
    visit("updates", state.updates);
    visit("rate", state.rate);
    visit("best_epoch", state.best_epoch);
    visit("sums/loss", state.sums.loss);
    visit("sums/correct", state.sums.correct);
    visit("sums/binary_correct", state.sums.binary_correct);
    visit("sums/samples", state.sums.samples);
    visit("gradients/batches", state.gradients.batches);
    visit("gradients/samples", state.gradients.samples);
    visit("stopping/started", state.stopping.started);
    visit("stopping/best", state.stopping.best);
    visit("stopping/waited", state.stopping.waited);
    visit("stopping/stopped", state.stopping.stopped);
}

// Every list of tensors with its name. `of_all`: of all tensors of the network, else of those that are trained.
template <typename State, typename Visit>
void each_list(State& state, Visit visit) {
    visit("weights/", state.weights, true);
    visit("best/", state.best_weights, true);
    visit("first/", state.moments.first, false);
    visit("second/", state.moments.second, false);
    visit("gradients/", state.gradients.sums, false);
}

template <typename T>
Array one(T value) {
    return Array::of<T>({1}, std::span<const T>(&value, 1));
}

void add_history(const TrainingHistory& history, NamedArrays& group) {
    const auto epochs = static_cast<std::int64_t>(history.rows.size());
    std::vector<double> rows;
    for (const std::vector<double>& row : history.rows) rows.insert(rows.end(), row.begin(), row.end());
    std::string names;
    for (const std::string& name : history.names) names += name + '\n';
    group["history/rows"] = Array::of<double>({epochs, static_cast<std::int64_t>(history.names.size())}, std::span<const double>(rows));
    group["history/steps"] = Array::of<std::int64_t>({epochs}, std::span<const std::int64_t>(history.steps));
    group["history/rates"] = Array::of<double>({epochs}, std::span<const double>(history.rates));
    group["history/names"] = Array::of<std::uint8_t>(
        {static_cast<std::int64_t>(names.size())}, std::span(reinterpret_cast<const std::uint8_t*>(names.data()), names.size()));
}

template <typename T>
std::vector<T> values_at(const NamedArrays& group, const std::string& name) {
    const auto values = group.at(name).values<T>();
    return {values.begin(), values.end()};
}

TrainingHistory history_in(const NamedArrays& group) {
    TrainingHistory history;
    std::string name;
    for (const std::uint8_t letter : group.at("history/names").values<std::uint8_t>()) {
        if (letter == '\n') history.names.push_back(std::exchange(name, {}));
        else name += static_cast<char>(letter);
    }
    const std::vector<double> rows = values_at<double>(group, "history/rows");
    const auto width = static_cast<std::ptrdiff_t>(history.names.size());
    history.steps = values_at<std::int64_t>(group, "history/steps");
    history.rates = values_at<double>(group, "history/rates");
    for (std::size_t row = 0; row < history.steps.size(); ++row) {
        const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(row) * width;
        history.rows.emplace_back(begin, begin + width);
    }
    return history;
}

}  // namespace

NamedArrays checkpoint_of(const Net& net, const std::vector<std::size_t>& trained, const TrainingState& state) {
    NamedArrays group;
    each_number(state, [&](const std::string& name, const auto& number) {
        using Number = std::remove_cvref_t<decltype(number)>;
        if constexpr (std::is_same_v<Number, double>) group[name] = one<double>(number);
        else group[name] = one<std::int64_t>(number);
    });
    each_list(state, [&](const std::string& prefix, const Weights& tensors, bool of_all) {
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            group[prefix + net.tensors()[of_all ? i : trained[i]].name] = array_of(tensors[i].detach().contiguous());
        }
    });
    add_history(state.history, group);
    return group;
}

void restore(const Net& net, const std::vector<std::size_t>& trained, const NamedArrays& checkpoint, TrainingState& state) {
    const at::NoGradGuard no_grad;
    each_number(state, [&](const std::string& name, auto& number) {
        using Number = std::remove_cvref_t<decltype(number)>;
        if constexpr (std::is_same_v<Number, double>) number = checkpoint.at(name).values<double>()[0];
        else number = static_cast<Number>(checkpoint.at(name).values<std::int64_t>()[0]);
    });
    const Weights like = state.weights;  // the layout in memory that the layers and the optimiser rely on
    each_list(state, [&](const std::string& prefix, Weights& tensors, bool of_all) {
        tensors.clear();
        for (std::size_t i = 0; i < (of_all ? like.size() : trained.size()); ++i) {
            const std::size_t position = of_all ? i : trained[i];
            const auto found = checkpoint.find(prefix + net.tensors()[position].name);
            if (found == checkpoint.end()) break;  // a list that is empty: no best epoch yet, an optimiser with one moment
            tensors.push_back(at::empty_like(like[position]).copy_(tensor_of(found->second)));
        }
    });
    state.history = history_in(checkpoint);
}

}  // namespace satdl::stages
