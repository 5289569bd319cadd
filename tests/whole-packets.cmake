# cmake -DTREE=folder -P whole-packets.cmake: to be refused, where the edits are in.
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/whole-packets.cmake)
ssh2_whole_packets(${TREE})
