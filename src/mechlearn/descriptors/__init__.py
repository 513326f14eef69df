"""Descriptors of atomic environments, each with its pullback to forces."""

from mechlearn.descriptors.bispectrum import (
    Bispectrum,
    PreparedBispectrum,
    available_threads,
)
from mechlearn.descriptors.descriptor import Descriptor, Pullback
from mechlearn.descriptors.jacobian import DescriptorJacobian

__all__ = [
    "Bispectrum",
    "Descriptor",
    "DescriptorJacobian",
    "PreparedBispectrum",
    "Pullback",
    "available_threads",
]
