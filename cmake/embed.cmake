# SPDX-License-Identifier: Apache-2.0
# Compile the text files under schemas/, configs/, rules/, prompts/ and sentences/ into the library: gen/embedded.c holds one table
# of { name, text, bytes } (see src/base/embedded.h). Text becomes an array of byte values, so any content is safe.
function(rvl_embed_schemas SOURCES)
  file(GLOB FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/schemas/*.yaml ${CMAKE_SOURCE_DIR}/configs/*.yaml
    ${CMAKE_SOURCE_DIR}/rules/*.yaml ${CMAKE_SOURCE_DIR}/prompts/*.yaml
    ${CMAKE_SOURCE_DIR}/sentences/*.yaml)
  set(OUT ${CMAKE_BINARY_DIR}/gen/embedded.c)
  add_custom_command(OUTPUT ${OUT}
    COMMAND ${CMAKE_COMMAND} -DOUT=${OUT} "-DFILES=${FILES}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${FILES} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake VERBATIM)
  set(${SOURCES} ${${SOURCES}} ${OUT} PARENT_SCOPE)
endfunction()
