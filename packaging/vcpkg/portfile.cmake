# Takes an archive that `cargo xtask dist` has made; nothing is compiled.
#
#     SEATLOCK_ARCHIVE=/where/it/is/seatlock-0.1.0-linux-x86_64.tar.gz \
#         vcpkg install seatlock --overlay-ports=packaging/vcpkg
#
# On Windows vcpkg hides variables that VCPKG_KEEP_ENV_VARS does not name.

if(NOT EXISTS "$ENV{SEATLOCK_ARCHIVE}")
    message(FATAL_ERROR "set SEATLOCK_ARCHIVE to the archive of ${TARGET_TRIPLET}, by its whole path")
endif()

# One build, for release and debugging, with a CMake package that finds everything from its own place.
set(VCPKG_BUILD_TYPE release)
set(VCPKG_POLICY_SKIP_LIB_CMAKE_MERGE_CHECK enabled)
set(VCPKG_POLICY_SKIP_MISPLACED_CMAKE_FILES_CHECK enabled)
# The archive has both libraries, whatever the triplet prefers.
set(VCPKG_POLICY_DLLS_IN_STATIC_LIBRARY enabled)

vcpkg_extract_source_archive(archive ARCHIVE "$ENV{SEATLOCK_ARCHIVE}")
foreach(folder IN ITEMS bin include lib)
    if(EXISTS "${archive}/${folder}")
        file(INSTALL "${archive}/${folder}/" DESTINATION "${CURRENT_PACKAGES_DIR}/${folder}")
    endif()
endforeach()
file(INSTALL "${archive}/share/seatlock/" DESTINATION "${CURRENT_PACKAGES_DIR}/share/seatlock")
set(documents "${archive}/share/doc/seatlock")
file(INSTALL "${documents}/sbom.cdx.json" DESTINATION "${CURRENT_PACKAGES_DIR}/share/seatlock")
vcpkg_install_copyright(FILE_LIST
    "${documents}/LICENSE-MIT" "${documents}/LICENSE-APACHE" "${documents}/THIRD-PARTY")
