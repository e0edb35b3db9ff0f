# How this project's targets are made.

# Warnings are for our own code only: generated code does not get this.
add_library(railhead_warnings INTERFACE)
# Naming some fields of a value and leaving the rest empty is how this project writes it.
target_compile_options(railhead_warnings INTERFACE -Wall -Wextra -Wconversion -Werror
                                                   -Wno-missing-field-initializers)
if(CMAKE_UNITY_BUILD)  # to GCC, what several files are put together in is a header
  target_compile_options(railhead_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
endif()

if(RAILHEAD_SANITIZE)
  add_compile_definitions(RAILHEAD_SANITIZED)
  add_compile_options(-fsanitize=${RAILHEAD_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RAILHEAD_SANITIZE})
endif()

# libnl-3 as an archive: the CNI binary is static, and pkg-config would name the shared one.
find_library(LIBNL_ARCHIVE libnl-3.a REQUIRED)
find_path(LIBNL_INCLUDE netlink/netlink.h PATH_SUFFIXES libnl3 REQUIRED)
add_library(railhead::libnl STATIC IMPORTED)
set_target_properties(railhead::libnl PROPERTIES
  IMPORTED_LOCATION ${LIBNL_ARCHIVE}
  INTERFACE_INCLUDE_DIRECTORIES ${LIBNL_INCLUDE}
  INTERFACE_LINK_LIBRARIES Threads::Threads)

# railhead_module(NAME [FOLDER folder] LINKS targets…): the .cpp files of lib/NAME (or of FOLDER)
# as the library railhead::NAME.
function(railhead_module name)
  cmake_parse_arguments(ARG "" "FOLDER" "LINKS" ${ARGN})
  if(NOT ARG_FOLDER)
    set(ARG_FOLDER lib/${name})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${ARG_FOLDER}/*.cpp ${PROJECT_SOURCE_DIR}/${ARG_FOLDER}/parts/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/(main|lines_reporter)\\.cpp$")
  if(sources)
    add_library(railhead_${name} STATIC ${sources})
    set(visibility PUBLIC)
    target_link_libraries(railhead_${name} PRIVATE railhead_warnings)
  else()
    add_library(railhead_${name} INTERFACE)
    set(visibility INTERFACE)
  endif()
  target_include_directories(railhead_${name} ${visibility} ${PROJECT_SOURCE_DIR}/lib
                                                            ${PROJECT_SOURCE_DIR})
  target_link_libraries(railhead_${name} ${visibility} ${ARG_LINKS})
  add_library(railhead::${name} ALIAS railhead_${name})
endfunction()

# railhead_test(NAME [ALONE names…] LINKS targets…): the .cpp files of test/unit/NAME as the program
# test_NAME. ALONE: those (without _test.cpp) whose helpers have names that others in the folder have
# too, so that they cannot be compiled in one with them.
function(railhead_test name)
  cmake_parse_arguments(ARG "" "" "ALONE;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/unit/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  foreach(alone ${ARG_ALONE})
    set_source_files_properties(${PROJECT_SOURCE_DIR}/test/unit/${name}/${alone}_test.cpp
                                PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${ARG_LINKS} railhead::test_support railhead_lines_reporter
                                             Catch2::Catch2WithMain railhead_warnings)
  add_test(NAME ${name} COMMAND test_${name} --reporter lines WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
