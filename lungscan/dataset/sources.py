"""Public data sets: where they are, under which terms, and how an archive is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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


_GB = 1_000_000_000

LC25000 = Source(
    name="lc25000",
    title="LC25000, lung and colon histopathological images",
    where=(
        "https://github.com/tampapath/lung_colon_image_set",
        "https://www.kaggle.com/datasets/andrewmvd/lung-and-colon-cancer-histopathological-images",
    ),
    licence="CC BY 4.0; mirrors state other terms, so read those of the page you download from",
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

SOURCES: Mapping[str, Source] = {source.name: source for source in (LC25000, IQ_OTH_NCCD)}
