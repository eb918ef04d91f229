"""Series of CT slices from DICOM files: headers, order, Hounsfield units, window."""
