# The Python of the tests: SATDL_PYTHON, or nothing if none can import h5py and numpy. Debian's python3-h5py belongs to /usr/bin/python3, whatever `python3`
# (pyenv's, a virtual environment's) comes first on the PATH. Nothing but tests needs a Python.

if(NOT SATDL_PYTHON)
    foreach(python /usr/bin/python3 python3)
        execute_process(COMMAND ${python} -c "import h5py, numpy, sys; print(sys.executable)"
            OUTPUT_VARIABLE found RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        if(result EQUAL 0)
            set(SATDL_PYTHON "${found}" CACHE FILEPATH "A Python with h5py and numpy, for the tests")
            break()
        endif()
    endforeach()
endif()
