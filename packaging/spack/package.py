"""Spack recipe. Put it into a package repository of yours as packages/wavelstm/package.py; then, in this source tree,
`spack dev-build wavelstm@0.1.0`. Checked without Spack: see packaging/README.md."""

from spack.package import *

try:
    from spack_repo.builtin.build_systems.cmake import CMakePackage  # Spack 1.0 and later
except ImportError:
    pass


class Wavelstm(CMakePackage):
    """PyTorch's nn.LSTM and nn.LSTMCell on CPUs, as a C library."""

    license("Apache-2.0")

    version("0.1.0")

    variant("shared", default=True, description="wavelstm::wavelstm is the shared library; both are installed")
    variant("onednn", default=True, description="Let oneDNN compute gate GEMMs where it is the faster")
    variant("mpi", default=False, description="Build the library over MPI")
    variant("bench", default=False, description="Build wlstm-bench")

    depends_on("c", type="build")
    depends_on("cxx", type="build", when="+bench")
    depends_on("cmake@3.22:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("jansson")
    # Another threading runtime in the same process would fight with OpenMP's for the cores.
    depends_on("onednn@2.6: cpu_runtime=omp", when="+onednn")
    depends_on("mpi", when="+mpi")
    depends_on("benchmark", when="+bench")
    depends_on("cmocka", type="test")

    def cmake_args(self):
        return [
            self.define_from_variant("BUILD_SHARED_LIBS", "shared"),
            self.define_from_variant("WLSTM_ONEDNN", "onednn"),
            self.define_from_variant("WLSTM_BUILD_BENCH", "bench"),
            self.define_from_variant("WLSTM_BUILD_MPI", "mpi"),
            self.define("WLSTM_BUILD_EXAMPLES", False),
            self.define("WLSTM_BUILD_FORTRAN", False),
            self.define("WLSTM_BUILD_TESTS", self.run_tests),
        ]
