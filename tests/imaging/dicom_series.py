"""Small DICOM series that a test writes itself."""

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

ROWS, COLUMNS, SLICES = 12, 10, 5
SPACING, THICKNESS = (1.5, 2.0), 4.0
CORNER = (-20.0, -15.0, 30.0)


def stored(number):
    """Values [slice, row, column] of series `number`."""
    return np.arange(SLICES * ROWS * COLUMNS, dtype=np.uint16).reshape(SLICES, ROWS, COLUMNS) + (
        1000 * number
    )


def write_series(folder, number, description, te=0.015, tr=0.6, ti=None, codes="SE", train=1):
    """Write one axial multi-slice series as a scanner does: a file a slice, times in ms."""
    folder.mkdir(parents=True, exist_ok=True)
    study, frame = (generate_uid(entropy_srcs=[str(folder), name]) for name in ("study", "frame"))
    series = generate_uid(entropy_srcs=[str(folder), str(number)])
    for index, values in enumerate(stored(number)):
        instance = generate_uid()
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = instance
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{number:02d}-{index:03d}.dcm"
        image = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, instance
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.FrameOfReferenceUID = frame
        image.PatientName, image.PatientID = "Doe^Jane", "123"
        image.StudyDate = image.SeriesDate = image.AcquisitionDate = "20200102"
        image.StudyTime = image.SeriesTime = image.AcquisitionTime = f"10{number:02d}00"
        image.Modality, image.Manufacturer, image.PatientPosition = "MR", "SIEMENS", "HFS"
        image.MagneticFieldStrength = 1.5
        image.SeriesDescription = image.ProtocolName = description
        image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = number, index + 1, 1
        image.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        image.ScanningSequence, image.SequenceVariant = codes, "SK"
        image.MRAcquisitionType, image.EchoTrainLength = "2D", train
        image.EchoTime, image.RepetitionTime, image.EchoNumbers = te * 1000, tr * 1000, 1
        if ti is not None:
            image.InversionTime = ti * 1000
        image.FlipAngle = 90
        image.SliceThickness = image.SpacingBetweenSlices = THICKNESS
        image.PixelSpacing = list(SPACING)
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [CORNER[0], CORNER[1], CORNER[2] + index * THICKNESS]
        image.SliceLocation = image.ImagePositionPatient[2]
        image.Rows, image.Columns = ROWS, COLUMNS
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation = 0
        image.PixelData = values.tobytes()
        image.save_as(path, enforce_file_format=True)
