"""Conan package of an archive that `cargo xtask dist` has made; nothing is compiled.

    conan create packaging/conan -c user.seatlock:archive=/where/it/is/seatlock-0.1.0-linux-x86_64.tar.gz
"""

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.files import unzip


class Seatlock(ConanFile):
    name = "seatlock"
    version = "0.1.0"
    description = "License activation for 3D plug-ins"
    license = "MIT OR Apache-2.0"
    url = "https://github.com/seatlock/seatlock"
    topics = ("licensing", "activation", "plugin")
    settings = "os", "arch"

    def package(self):
        archive = self.conf.get("user.seatlock:archive", check_type=str)
        if archive is None:
            raise ConanInvalidConfiguration("say which archive: -c user.seatlock:archive=FILE")
        unzip(self, archive, destination=self.package_folder, strip_root=True)

    def package_info(self):
        # Its own CMake package tells what there is: seatlock::seatlock and seatlock::seatlock_static.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["lib/cmake/seatlock"]
