// HDF5's own file driver interface lets it write into memory that is ours.
#include "pipeline/hdf5_layout.h"
