"""The bispectrum of one batch on a torch device: neighbours go there, values and pair gradients come back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from jaxtyping import Complex, Float, Int

from mechlearn.descriptors.bispectrum import Bispectrum
from mechlearn.descriptors.torch_stages import (
    DeviceTables,
    PairGeometry,
    PairShape,
    adjoint,
    bands,
    bispectrum,
    densities,
    device_tables,
    pair_geometry,
    pair_gradients,
)
from mechlearn.descriptors.torch_tables import torch_tables
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourPairs

#: The most that the arrays of one chunk may hold, in bytes: on a GPU enough to fill it, and of what is free a
#: quarter at most; on a CPU what its cache holds.
_CHUNK_BYTES: Final = {"cuda": 4 << 30, "cpu": 8 << 20}

#: The most atoms of one chunk: more fill no GPU any better, and batches beyond 65,535 matrices are ill supported.
_CHUNK_ATOMS: Final = 1 << 15


@dataclass(frozen=True, eq=False)
class TorchBispectrum:
    """Values and pair gradients of a bispectrum through torch, for the neighbours of one batch.

    While an atom with n neighbours is worked on it takes (2·elements·n + (2·bands + products)·points) numbers: 0.47
    MB at 2J = 8 with 26 neighbours in double precision, half of that in single.  All the time every atom takes 32
    bytes a neighbour, 56 for ``contract``, and 2.5 kB where densities are kept.

    Attributes
    ----------
    descriptor
        The bispectrum, with the device and the precision to work in.
    batch, pairs
        The structures and their neighbours, which the compiled search on the CPU found.
    keep
        Whether V of every atom is kept on the device for the next use.
    chunk_bytes
        The memory for the atoms that are worked on at once; chosen by the device and what is free there if None.
    """

    descriptor: Bispectrum
    batch: StructureBatch
    pairs: NeighbourPairs
    keep: bool = False
    chunk_bytes: int | None = None

    def values(self) -> Float[np.ndarray, "atoms features"]:
        """B of every atom; j + 1 for an isolated one."""
        out = np.empty((self.batch.atoms, self.descriptor.features))
        with torch.inference_mode(), _full_precision():
            # All chunks are under way before the first is waited for.
            found = [bispectrum(bands(self._density(chunk), self._tables), self._tables) for chunk in self._chunks]
            for chunk, values in zip(self._chunks, found, strict=True):
                out[chunk] = values.cpu().numpy()
        return out

    def contract(
        self, gradient: Float[np.ndarray, "atoms features"]
    ) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "pairs 3"]]:
        """Σ_l g_l B_l of every atom i, and Σ_l g_l ∂B_l/∂r_ik of every pair (i, k)."""
        products = np.empty(self.batch.atoms)
        with torch.inference_mode(), _full_precision():
            # One row more, for the pairs that fill up a chunk.
            slopes = torch.zeros((len(self.pairs.second) + 1, 3), dtype=torch.float64, device=self._device)
            found = []
            for chunk in self._chunks:
                density = self._density(chunk)
                upstream = torch.from_numpy(gradient[chunk]).to(self._device, self._real)
                y = adjoint(bands(density, self._tables), upstream, self._tables)
                # By Euler's theorem, B being homogeneous of degree 3 in V.
                found.append((y.conj() * density).real.sum(dim=1) / 3)
                slots = self._slots(chunk)
                slopes[slots] = pair_gradients(self._geometry(chunk, slots), y, self._tables).double()
            for chunk, values in zip(self._chunks, found, strict=True):
                products[chunk] = values.cpu().numpy()
            return products, slopes[:-1].cpu().numpy()

    # ------------------------------------------------------------------ kept on the device

    @property
    def _device(self) -> torch.device:
        return torch.device(self.descriptor.device or "cpu")

    @property
    def _real(self) -> torch.dtype:
        return torch.float64 if self.descriptor.precision == "double" else torch.float32

    @cached_property
    def _tables(self) -> DeviceTables:
        return device_tables(self.descriptor.twojmax, self._device, self._real)

    @cached_property
    def _kept(self) -> dict[int, torch.Tensor]:
        """V of chunks, by their first atom."""
        return {}

    def _density(self, chunk: Int[np.ndarray, " chunk"]) -> Complex[torch.Tensor, "chunk elements"]:
        """V of the atoms of a chunk."""
        density = self._kept.get(int(chunk[0]))
        if density is None:
            density = densities(self._geometry(chunk, self._slots(chunk)), self._tables)
            if self.keep:
                self._kept[int(chunk[0])] = density
        return density

    @cached_property
    def _neighbours(self) -> tuple[Float[torch.Tensor, "pairs_and_one 3"], Int[torch.Tensor, " pairs_and_one"]]:
        """The vector and the neighbour of every pair, and last a pair that stands for none."""
        vectors = np.concatenate([self.pairs.vectors, np.full((1, 3), self.descriptor.reach)])
        second = np.append(self.pairs.second, 0)
        return torch.from_numpy(vectors).to(self._device), torch.from_numpy(second).to(self._device)

    @cached_property
    def _elements(self) -> Int[torch.Tensor, " atoms"]:
        return torch.from_numpy(self.descriptor.element_indices(self.batch)).to(self._device)

    # ------------------------------------------------------------------ chunks

    @cached_property
    def _chunks(self) -> tuple[Int[np.ndarray, " _"], ...]:
        """Atoms that are worked on at once, by rising number of neighbours, so that few places stay empty."""
        counts = np.diff(self.pairs.starts)
        order = np.argsort(counts, kind="stable")
        limit = self.chunk_bytes or _chunk_bytes(self._device)
        edges = [0]
        while edges[-1] < len(order):
            edges.append(self._chunk_end(counts[order], edges[-1], limit))
        return tuple(order[first:last] for first, last in pairwise(edges))

    def _chunk_end(self, counts: Int[np.ndarray, " atoms"], first: int, limit: int) -> int:
        """One past the last atom of the chunk that begins with ``first``: one atom at least."""

        def memory(last: int) -> int:
            return (last + 1 - first) * self._atom_bytes(int(counts[last]))

        return bisect_right(range(min(len(counts), first + _CHUNK_ATOMS)), limit, lo=first + 1, key=memory)

    def _atom_bytes(self, neighbours: int) -> int:
        """The most that an atom's arrays hold at one time."""
        tables = torch_tables(self.descriptor.twojmax)
        products = tables.even.component.shape[1]
        numbers = 2 * len(tables.identity) * neighbours + (2 * len(tables.bands) + products) * tables.points
        return numbers * self._real.itemsize

    def _slots(self, chunk: Int[np.ndarray, " chunk"]) -> Int[torch.Tensor, "chunk neighbours"]:
        """The pairs of each atom of a chunk, filled up with the pair that stands for none."""
        starts, stops = (torch.from_numpy(self.pairs.starts[chunk + end]).to(self._device) for end in (0, 1))
        most = int(np.diff(self.pairs.starts[[chunk[-1], chunk[-1] + 1]])[0])
        slots = starts[:, None] + torch.arange(most, device=self._device)
        return torch.where(slots < stops[:, None], slots, len(self.pairs.second))

    def _geometry(self, chunk: Int[np.ndarray, " chunk"], slots: Int[torch.Tensor, "chunk neighbours"]) -> PairGeometry:
        """The neighbours of a chunk as points on the 3-sphere."""
        descriptor = self.descriptor
        radii, weights = (
            torch.tensor(numbers, dtype=torch.float64, device=self._device)
            for numbers in (descriptor.element_radii, descriptor.element_weights)
        )
        vectors, second = (each[slots] for each in self._neighbours)
        first = self._elements[torch.from_numpy(chunk).to(self._device)]
        reach = descriptor.cutoff * (radii[first][:, None] + radii[self._elements[second]])
        weight = torch.where(slots < len(self.pairs.second), weights[self._elements[second]], 0.0)
        shape = PairShape(descriptor.rfac0, descriptor.rmin0, descriptor.switch)
        return pair_geometry(vectors, reach, weight, shape, self._real)


def _chunk_bytes(device: torch.device) -> int:
    """The memory for one chunk on a device."""
    most = _CHUNK_BYTES[device.type]
    return min(most, torch.cuda.mem_get_info(device)[0] // 4) if device.type == "cuda" else most


@contextmanager
def _full_precision() -> Iterator[None]:
    """Keep matrix products of single precision from being rounded to TF32, whose 11 bits are too few here."""
    matmul = torch.backends.cuda.matmul
    # The switch has had the first name since torch 2.9, which does not like both to be used.
    name, full = ("fp32_precision", "ieee") if hasattr(matmul, "fp32_precision") else ("allow_tf32", False)
    before = getattr(matmul, name)
    setattr(matmul, name, full)
    try:
        yield
    finally:
        setattr(matmul, name, before)
