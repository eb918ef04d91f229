"""imagecodecs: the codecs that slides and CT pictures use, and what these stand on.

Each codec is a module that is imported by name. ``_shared_cython`` is in no list of the library's
own, but without it every codec says that a name could not be imported.
"""

WANTED = (
    "_deflate",
    "_htj2k",
    "_imcd",
    "_jpeg2k",
    "_jpeg8",
    "_jpegls",
    "_jpegsof3",
    "_jpegxr",
    "_ljpeg",
    "_png",
    "_shared",
    "_shared_cython",
    "_tiff",
    "_webp",
    "_zlib",
    "_zstd",
)

hiddenimports = ["imagecodecs._imagecodecs", *(f"imagecodecs.{name}" for name in WANTED)]
