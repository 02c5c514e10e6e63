// A precompiled header belongs to a library with a source: this one has nothing else (CMakeLists.txt).
#include "pipeline/precompiled.h"
