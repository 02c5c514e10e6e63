// A device other than the CPU, for machines that have none: its tensors lie in this process' memory, and the CPU computes with
// them; but LibTorch may not know them as the CPU's. An operation that is given tensors of both is refused, as on a GPU. So what
// runs through here has moved all that it must, and what it gives can be compared with what the CPU gives.
//
// It takes the place of XLA, which LibTorch knows by name and has no code for: one function stands in for every operation.
// To be included by one file of a program.
#pragma once

#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "stages/torch.h"

namespace satdl::stages::made_up {

inline const at::Device kDevice(at::kXLA, 0);
inline std::atomic<int> operations{0};  // that have run on it

inline bool is_here(const at::Tensor& tensor) { return tensor.defined() && tensor.device().type() == at::kXLA; }

// The same memory, as a tensor of the CPU.
inline at::Tensor as_cpu(const at::Tensor& tensor) {
    return at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(), at::TensorOptions(tensor.scalar_type()));
}

// The same memory, as a tensor of the made-up device, which keeps it alive.
inline at::Tensor as_here(const at::Tensor& tensor) {
    auto* const kept = new at::Tensor(tensor);  // NOLINT: DataPtr wants a raw owner
    at::DataPtr bytes(tensor.data_ptr(), kept, [](void* owner) { delete static_cast<at::Tensor*>(owner); }, kDevice);
    const std::size_t count = at::detail::computeStorageNbytes(tensor.sizes(), tensor.strides(), tensor.itemsize());
    c10::Storage storage(c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(), count, std::move(bytes), nullptr, false));
    at::Tensor here = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(c10::DispatchKey::XLA),
                                                               tensor.dtype());
    here.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides());
    return here;
}

// Any operation: its arguments as tensors of the CPU, what it gives as tensors of the made-up device.
inline void compute(const c10::OperatorHandle& operation, torch::jit::Stack* stack) {
    ++operations;
    const c10::FunctionSchema& schema = operation.schema();
    std::vector<std::pair<at::Tensor, at::Tensor>> moved;  // here, on the CPU
    const auto on_cpu = [&](const at::Tensor& tensor) {
        if (!tensor.defined()) return tensor;
        if (!is_here(tensor)) {
            if (tensor.dim() == 0) return tensor;  // a number
            throw std::logic_error(schema.name() + " was given tensors of two devices");
        }
        moved.emplace_back(tensor, as_cpu(tensor));
        return moved.back().second;
    };
    const std::size_t first = stack->size() - schema.arguments().size();
    for (std::size_t i = first; i < stack->size(); ++i) {
        c10::IValue& argument = (*stack)[i];
        if (argument.isTensor() && schema.arguments()[i - first].is_out()) {
            moved.emplace_back(argument.toTensor(), at::empty({0}, argument.toTensor().scalar_type()));  // takes any size
            argument = moved.back().second;
        } else if (argument.isTensor()) {
            argument = on_cpu(argument.toTensor());
        } else if (argument.isTensorList()) {
            std::vector<at::Tensor> list;
            for (const at::Tensor& tensor : argument.toTensorVector()) list.push_back(on_cpu(tensor));
            argument = list;
        } else if (argument.isDevice()) {
            argument = c10::Device(at::kCPU);
        }
    }
    operation.callBoxed(stack);
    for (const auto& [ours, its] : moved) {
        if (its.data_ptr() != ours.data_ptr()) ours.unsafeGetTensorImpl()->set_storage_keep_dtype(as_here(its).storage());
        if (its.sizes() != ours.sizes()) ours.unsafeGetTensorImpl()->set_sizes_and_strides(its.sizes(), its.strides());
    }
    const auto here = [&](const at::Tensor& tensor) {
        for (const auto& [ours, its] : moved)
            if (tensor.is_same(its)) return ours;  // changed in place
        return tensor.defined() ? as_here(tensor) : tensor;
    };
    for (std::size_t i = stack->size() - schema.returns().size(); i < stack->size(); ++i) {
        c10::IValue& result = (*stack)[i];
        if (result.isTensor()) result = here(result.toTensor());
        if (!result.isTensorList()) continue;
        std::vector<at::Tensor> list;
        for (const at::Tensor& tensor : result.toTensorVector()) list.push_back(here(tensor));
        result = list;
    }
}

// The one operation that may see both devices.
inline at::Tensor copy(const at::Tensor& from, const at::Tensor& to, bool) {
    ++operations;
    (is_here(to) ? as_cpu(to) : to).copy_(is_here(from) ? as_cpu(from) : from);
    return to;
}

C10_REGISTER_GUARD_IMPL(XLA, c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::XLA>);

TORCH_LIBRARY_IMPL(_, XLA, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>()); }

TORCH_LIBRARY_IMPL(aten, XLA, library) {
    library.impl("_copy_from", &copy);
    // These have functions for devices in general, which know of no convolution on this one.
    library.impl("convolution", torch::CppFunction::makeFromBoxedFunction<&compute>());
    library.impl("convolution_backward", torch::CppFunction::makeFromBoxedFunction<&compute>());
}

}  // namespace satdl::stages::made_up
