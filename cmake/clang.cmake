# A toolchain for the preset fuzz: clang, whose libFuzzer it is, if it is there.
find_program(CLANG clang)
if(CLANG)
    set(CMAKE_C_COMPILER ${CLANG})
endif()
