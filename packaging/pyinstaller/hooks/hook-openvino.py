"""OpenVINO: what runs an OpenVINO graph on a CPU, and none of its other devices and formats.

PyInstaller cannot see the plugins, which are opened by name; without them there is no device.
"""

from pathlib import Path

from PyInstaller.utils.hooks import collect_dynamic_libs

# libopenvino_auto and hetero are devices of their own; cache.json holds kernels for GPUs.
WANTED = (
    "libopenvino.",
    "openvino.",
    "libopenvino_intel_cpu_plugin.",
    "openvino_intel_cpu_plugin.",
    "libopenvino_arm_cpu_plugin.",
    "libopenvino_ir_frontend.",
    "openvino_ir_frontend.",
    "libhwloc.",
    "hwloc",
    "libtbb",
    "tbb",
)
LIBRARIES = ["*.so", "*.so.*", "*.dylib", "*.dll"]

binaries = [
    (source, target)
    for source, target in collect_dynamic_libs("openvino", search_patterns=LIBRARIES)
    if Path(target).name != "libs" or Path(source).name.startswith(WANTED)
]
