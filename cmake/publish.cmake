# cmake -DFROM=folder -DTO=folder -P publish.cmake
# Makes TO hold the files of FROM as they are now, beside what is built into
# it, all of it readable by every user whatever the umask.
set(mode OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(folder_mode ${mode} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)

# Files that are gone from FROM go from TO: the last run left their names.
file(GLOB_RECURSE files RELATIVE ${FROM} ${FROM}/*)
list(FILTER files EXCLUDE REGEX "__pycache__|~$")
string(MD5 id ${FROM})
set(manifest ${TO}/.published-${id})
if(EXISTS ${manifest})
    file(STRINGS ${manifest} gone)
    if(files)
        list(REMOVE_ITEM gone ${files})
    endif()
    foreach(name IN LISTS gone)
        file(REMOVE ${TO}/${name})
    endforeach()
endif()
list(JOIN files "\n" names)
file(WRITE ${manifest} "${names}\n")

foreach(name IN LISTS files)
    get_filename_component(folder ${TO}/${name} DIRECTORY)
    file(COPY ${FROM}/${name} DESTINATION ${folder}
        FILE_PERMISSIONS ${mode} DIRECTORY_PERMISSIONS ${folder_mode})
endforeach()
get_filename_component(parent ${TO} DIRECTORY)
file(CHMOD ${parent} PERMISSIONS ${folder_mode})
file(CHMOD_RECURSE ${TO} FILE_PERMISSIONS ${mode}
    DIRECTORY_PERMISSIONS ${folder_mode})
