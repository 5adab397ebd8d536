"""distq: compile quantum circuits for networks of modules joined by entanglement links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distq.errors import (
    DistqError,
    InfeasibleError,
    InputError,
    MissingExtraError,
    NetworkError,
    UsageError,
    VerificationError,
)

if TYPE_CHECKING:
    from distq.fidelity.predict import FidelityPrediction, predict_fidelity
    from distq.front import Tradeoff, tradeoff
    from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
    from distq.network.model import Link, Module, Network
    from distq.network.presets import preset
    from distq.partition.registry import register_partitioner
    from distq.pipeline import compile
    from distq.program.compiled import CompiledProgram, load
    from distq.simulate.noisy import NoisyResult, noisy
    from distq.verify import VerifyResult, verify

__version__ = "0.1.0"

#: Public names and the modules that hold them; loaded at first use, since Qiskit takes seconds to import.
_LAZY = {
    "CompiledProgram": "distq.program.compiled",
    "Fabric": "distq.network.hardware",
    "FidelityPrediction": "distq.fidelity.predict",
    "Link": "distq.network.model",
    "LinkHardware": "distq.network.hardware",
    "Module": "distq.network.model",
    "ModuleHardware": "distq.network.hardware",
    "Network": "distq.network.model",
    "NoisyResult": "distq.simulate.noisy",
    "Tradeoff": "distq.front",
    "VerifyResult": "distq.verify",
    "compile": "distq.pipeline",
    "load": "distq.program.compiled",
    "noisy": "distq.simulate.noisy",
    "predict_fidelity": "distq.fidelity.predict",
    "preset": "distq.network.presets",
    "register_partitioner": "distq.partition.registry",
    "tradeoff": "distq.front",
}

__all__ = [
    "CompiledProgram",
    "DistqError",
    "Fabric",
    "FidelityPrediction",
    "InfeasibleError",
    "InputError",
    "Link",
    "LinkHardware",
    "MissingExtraError",
    "Module",
    "ModuleHardware",
    "Network",
    "NetworkError",
    "NoisyResult",
    "Tradeoff",
    "UsageError",
    "VerificationError",
    "VerifyResult",
    "compile",
    "load",
    "noisy",
    "predict_fidelity",
    "preset",
    "register_partitioner",
    "tradeoff",
    "verify",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "verify":
        return import_module("distq.verify")  # a package that can be called
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'distq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
