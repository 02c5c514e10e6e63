// All of LibTorch that the stages use, as one precompiled header: the tensor library and autograd, without torch::nn
// (5 s for a translation unit without the precompiled header; torch/torch.h takes 20-30 s). Works with LibTorch 1.13
// and 2.x.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
