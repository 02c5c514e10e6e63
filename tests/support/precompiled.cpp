// A precompiled header belongs to a target with a source: this one does nothing else (tests/CMakeLists.txt).
int main() {}
