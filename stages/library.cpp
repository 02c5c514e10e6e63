// The entry of the built-in stage library.
#include "stages/stages.h"

namespace {

satdl::StageLibraryInfo make_info() {
    using namespace satdl::stages;
    return {.name = "satdl",
            .numerics = {{"libtorch", SATDL_TORCH_VERSION}},
            .stages = {load_stage(), read_stage(), read_images_stage(), normalise_stage(), add_noise_stage(), concat_stage(), split_stage(),
                       model_stage(), train_stage(), fine_tune_stage(), features_stage(), evaluate_stage(), evaluate_predictions_stage(),
                       compare_stage()},
            .find_gpu = SATDL_TORCH_HAS_CUDA ? find_gpu : nullptr};
}

}  // namespace

SATDL_STAGE_LIBRARY(make_info)
