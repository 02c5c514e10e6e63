// Catch2 beside LibTorch, whose logging header has a CHECK of its own that would silently take the place of Catch2's: to be
// included before anything else.
#pragma once

#include "stages/torch.h"
#undef CHECK
#include <catch2/catch.hpp>

#include "stage_test.h"
