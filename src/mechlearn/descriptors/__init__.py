"""Descriptors of atomic environments, each with its pullback to forces."""

from mechlearn.descriptors.audit import FeatureAudit, audit_features
from mechlearn.descriptors.bispectrum import (
    Bispectrum,
    PreparedBispectrum,
    available_threads,
)
from mechlearn.descriptors.descriptor import Descriptor, Pullback
from mechlearn.descriptors.jacobian import DescriptorJacobian
from mechlearn.descriptors.symmetry_functions import AngularFunction, RadialFunction, SymmetryFunctions

__all__ = [
    "AngularFunction",
    "Bispectrum",
    "Descriptor",
    "DescriptorJacobian",
    "FeatureAudit",
    "PreparedBispectrum",
    "Pullback",
    "RadialFunction",
    "SymmetryFunctions",
    "audit_features",
    "available_threads",
]
