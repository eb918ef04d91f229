"""Public data sets: where they are, under which terms, and how an archive is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PatientTable:
    """A table in an archive that says which patient each picture is of."""

    file: str  # its name, in any folder of the archive
    folder: str  # the data folder that it is about
    parts: tuple[str, ...]  # columns whose cells make the picture's name, joined by "_"
    group: str  # the column of the patient
    prefix: str  # of a group's name
    scale_by: str  # the column of the objective
    um_px: Mapping[str, str]  # what it holds -> the usual scale of such a picture


@dataclass(frozen=True, slots=True)
class Source:
    """One public data set."""

    name: str
    title: str
    where: tuple[str, ...]  # pages; each asks for the reader's own account or consent
    licence: str
    citation: str
    size: str
    holds: str
    steps: tuple[str, ...]
    folders: Mapping[str, str]  # folder in the archive, lower case -> data folder and class
    most_bytes: int  # no unpacked archive of this set is larger
    caution: str
    patients: PatientTable | None = None
    done: str = "`lungscan data split` does that."  # the last words when it is laid out


_GB = 1_000_000_000

LC25000 = Source(
    name="lc25000",
    title="LC25000, lung and colon histopathological images",
    where=(
        "https://github.com/tampapath/lung_colon_image_set",
        "https://www.kaggle.com/datasets/andrewmvd/lung-and-colon-cancer-histopathological-images",
    ),
    licence=(
        "none was found; its authors let researchers use it in any way, mirrors call it CC BY 4.0 "
        "or state other terms, so read those of the page you download from"
    ),
    citation=(
        "Borkowski AA, Bui MM, Thomas LB, Wilson CP, DeLand LA, Mastorides SM. Lung and Colon "
        "Cancer Histopathological Image Dataset (LC25000). arXiv:1912.12142, 2019."
    ),
    size="nearly 2 GB, 25,000 JPEG pictures of 768 × 768 px",
    holds="5,000 H&E fields each of lung_aca, lung_n, lung_scc, colon_aca, colon_n",
    steps=(
        "Open one of the pages above, sign in where it asks, and accept its terms.",
        "Download the archive as a ZIP file.",
    ),
    folders={
        "lung_aca": "lc25000-lung/lung_aca",
        "lung_n": "lc25000-lung/lung_n",
        "lung_scc": "lc25000-lung/lung_scc",
        "colon_aca": "lc25000-colon/colon_aca",
        "colon_n": "lc25000-colon/colon_n",
    },
    most_bytes=6 * _GB,
    caution=(
        "These are rotated, cropped and mirrored copies of some 250 photographs a class: split "
        "them by group."
    ),
)

IQ_OTH_NCCD = Source(
    name="iq-oth-nccd",
    title="IQ-OTH/NCCD, chest CT slices",
    where=(
        "https://doi.org/10.17632/bhmdr45bh2",
        "https://www.kaggle.com/datasets/hamdallak/the-iqothnccd-lung-cancer-dataset",
    ),
    licence="CC BY 4.0",
    citation=(
        "Alyasriy H, AL-Huseiny M. The IQ-OTH/NCCD lung cancer dataset. Mendeley Data, "
        "doi:10.17632/bhmdr45bh2."
    ),
    size="a few hundred MB, some 1,100 JPEG slices",
    holds="CT slices of benign, malignant and normal cases; no H&E tissue",
    steps=(
        "Open one of the pages above, sign in where it asks, and accept its terms.",
        "Download all files as one ZIP file.",
    ),
    folders={
        "bengin cases": "iq-oth-nccd/benign",  # the spelling of the archive
        "benign cases": "iq-oth-nccd/benign",
        "malignant cases": "iq-oth-nccd/malignant",
        "normal cases": "iq-oth-nccd/normal",
    },
    most_bytes=2 * _GB,
    caution=(
        "Neighbouring slices of a patient look alike and no patient numbers were released: split "
        "them by group."
    ),
)

LUNGHIST700 = Source(
    name="lunghist700",
    title="LungHist700, lung fields of 45 patients at 20x and 40x",
    where=(
        "https://doi.org/10.6084/m9.figshare.25459174",
        "https://www.nature.com/articles/s41597-024-03944-3",
    ),
    licence="CC BY 4.0",
    citation=(
        "Diosdado J, Gilabert P, Seguí S, Borrego H. LungHist700: A dataset of histological images "
        "for deep learning in pulmonary pathology. Scientific Data 11, 1088 (2024), "
        "doi:10.1038/s41597-024-03944-3."
    ),
    size="some 670 MB as a RAR archive, 691 JPEG pictures of 1600 × 1200 px",
    holds="H&E fields of adenocarcinoma, squamous cell carcinoma (3 grades each) and normal lung",
    steps=(
        "Open the first page and download the archive.",
        "It is a RAR file: unpack it (7-Zip, unar, bsdtar); its folder stands for FILE.zip below.",
    ),
    folders={
        "aca_bd": "lunghist700/lung_aca",
        "aca_md": "lunghist700/lung_aca",
        "aca_pd": "lunghist700/lung_aca",
        "nor": "lunghist700/lung_n",
        "scc_bd": "lunghist700/lung_scc",
        "scc_md": "lunghist700/lung_scc",
        "scc_pd": "lunghist700/lung_scc",
    },
    most_bytes=4 * _GB,
    caution=(
        "No scale is stated: groups.csv takes the usual 0.5 µm/px at 20x and 0.25 at 40x. Measure "
        "red blood cells (7 to 8 µm) and correct its column um_px before you trust a figure."
    ),
    patients=PatientTable(
        file="data.csv",
        folder="lunghist700",
        parts=("superclass", "subclass", "resolution", "image_id"),
        group="patient_id",
        prefix="patient-",
        scale_by="resolution",
        um_px={"20x": "0.5", "40x": "0.25"},
    ),
    done="Its groups.csv names the patient of each picture, so splits go by patient.",
)

SOURCES: Mapping[str, Source] = {
    source.name: source for source in (LC25000, IQ_OTH_NCCD, LUNGHIST700)
}
