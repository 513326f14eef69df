"""Whether torch, and the device that was asked for, are there; torch is loaded by asking, not before."""

from __future__ import annotations

from mechlearn.errors import InputError, installation


def check_device(name: str) -> None:
    """Make sure that torch can compute on a device.

    Parameters
    ----------
    name : str
        ``"cuda"``, ``"cuda:1"``, … or ``"cpu"``.

    Raises
    ------
    InputError
        Torch is not installed, knows no such device, or finds none on this machine.

    Examples
    --------
    >>> check_device("cpu")
    """
    doing = f"choosing the device {name!r}"
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{doing}: torch is not installed; {installation('nn')}, or leave the device out: the kernels need none"
        ) from error
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise InputError(f"{doing}: there is no such device here; give 'cuda', 'cuda:1' (the second GPU), … or 'cpu'")
    if device.type == "cpu":
        return
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found == 0:
        built = "finds no CUDA device" if torch.version.cuda else "was built without CUDA"
        raise InputError(
            f"{doing}: torch {torch.__version__} {built}; use a torch for CUDA on a machine whose nvidia-smi lists a "
            "GPU, or leave the device out to use the compiled kernels"
        )
    if device.index is not None and device.index >= found:
        raise InputError(f"{doing}: torch finds {found} CUDA devices; give one of cuda:0 … cuda:{found - 1}")
