# muster_embed_files(TARGET NAME FOLDER [files...])
#   Builds the files below FOLDER (all of them when none is named; source maps are left out) into TARGET and gives it
#   `std::span<const BundledFile> bundled_NAME()` (api/bundled_file.h). A FOLDER that does not exist gives an empty
#   table; one that appears later is noticed by the next build. Text is embedded gzip-compressed as well.
#
# Run with -P it writes the table: -DNAME= -DFOLDER= -DFILES=a|b -DOUTPUT=x.cpp -DGZIP_PROGRAM=
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(MUSTER_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}" CACHE INTERNAL "")
  find_program(GZIP_PROGRAM gzip)

  function(muster_embed_files target name folder)
    set(files ${ARGN})
    if(NOT files)
      file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*")
    endif()
    list(FILTER files EXCLUDE REGEX "\\.map$|\\.gz$")
    list(TRANSFORM files PREPEND "${folder}/" OUTPUT_VARIABLE paths)
    string(REPLACE ";" "|" joined "${files}")
    set(output "${CMAKE_CURRENT_BINARY_DIR}/bundled_${name}.cpp")
    add_custom_command(OUTPUT "${output}"
      COMMAND "${CMAKE_COMMAND}" "-DNAME=${name}" "-DFOLDER=${folder}" "-DFILES=${joined}" "-DOUTPUT=${output}"
              "-DGZIP_PROGRAM=${GZIP_PROGRAM}" -P "${MUSTER_EMBED_SCRIPT}"
      DEPENDS ${paths} "${MUSTER_EMBED_SCRIPT}"
      COMMENT "Embedding ${name}" VERBATIM)
    target_sources(${target} PRIVATE "${output}")
  endfunction()
  return()
endif()

set(assembly "")
set(symbols "")
set(rows "")
string(REPLACE "|" ";" files "${FILES}")
list(LENGTH files count)

function(embed symbol path)
  string(APPEND assembly "    .balign 16\\n    .hidden ${symbol}\\n    .global ${symbol}\\n${symbol}:\\n    .incbin \\\"${path}\\\"\\n")
  string(APPEND assembly "    .hidden ${symbol}_end\\n    .global ${symbol}_end\\n${symbol}_end:\\n    .byte 0\\n")
  string(APPEND symbols "extern const char ${symbol}[];\nextern const char ${symbol}_end[];\n")
  set(assembly "${assembly}" PARENT_SCOPE)
  set(symbols "${symbols}" PARENT_SCOPE)
endfunction()

set(index 0)
foreach(file IN LISTS files)
  set(symbol "muster_bundled_${NAME}_${index}")
  embed(${symbol} "${FOLDER}/${file}")
  set(compressed "")
  if(EXISTS "${FOLDER}/${file}.gz")
    set(compressed "${FOLDER}/${file}.gz")
  elseif(GZIP_PROGRAM AND file MATCHES "\\.(html|js|css|svg|json|txt|webmanifest)$")
    set(compressed "${OUTPUT}.${index}.gz")
    execute_process(COMMAND "${GZIP_PROGRAM}" -9 -n -c "${FOLDER}/${file}" OUTPUT_FILE "${compressed}" COMMAND_ERROR_IS_FATAL ANY)
  endif()
  set(gzip "{}")
  if(compressed)
    embed(${symbol}_gz "${compressed}")
    set(gzip "bytes(${symbol}_gz, ${symbol}_gz_end)")
  endif()
  file(SHA256 "${FOLDER}/${file}" digest)
  string(SUBSTRING "${digest}" 0 16 etag)
  string(APPEND rows "        BundledFile{\"${file}\", \"\\\"${etag}\\\"\", bytes(${symbol}, ${symbol}_end), ${gzip}},\n")
  math(EXPR index "${index} + 1")
endforeach()

file(WRITE "${OUTPUT}" "// Written by cmake/embed_files.cmake.
#include <array>

#include \"api/bundled_file.h\"

asm(\"    .pushsection .rodata\\n${assembly}    .popsection\\n\");

extern \"C\" {
${symbols}}

namespace muster {
namespace {

[[maybe_unused]] std::string_view bytes(const char* begin, const char* end) { return {begin, static_cast<std::size_t>(end - begin)}; }

}  // namespace

std::span<const BundledFile> bundled_${NAME}() {
    static const std::array<BundledFile, ${count}> files{
${rows}    };
    return files;
}

}  // namespace muster
")
