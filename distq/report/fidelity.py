"""Predicted fidelities and noisy runs as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distq.fidelity.predict import FidelityPrediction
    from distq.simulate.noisy import NoisyResult

#: Classes of noise for people.
_WORDS = {
    "two-qubit": "gates on two qubits",
    "one-qubit": "gates on one qubit",
    "pairs": "pairs",
    "ageing": "pairs that wait",
    "idling": "qubits that wait",
    "measurement": "measurements and resets",
}
#: Outcomes of a noisy run that are listed.
MOST_OUTCOMES = 16


def fidelity_lines(found: FidelityPrediction) -> list[tuple[str, str]]:
    """The prediction and what the fidelity is lost to, the largest first."""
    if found.dominated_by == "nothing":
        return [("fidelity", "1 (the network states no errors and no memory times)")]
    what = "process" if found.inputs == "any" else "state, from |0...0>"
    error = f" +- {found.standard_error:.4f}" if found.standard_error >= 5e-5 else ""
    average = "" if found.average_fidelity is None else f"; average over inputs {found.average_fidelity:.4f}"
    lost = sorted(((v, k) for k, v in found.budget.items() if v >= 5e-5), reverse=True)
    return [
        ("fidelity", f"{found.fidelity:.4f}{error} ({what}){average}; product of all parts {found.product:.4f}"),
        ("each alone costs", ", ".join(f"{_WORDS[k]} {v:.4f}" for v, k in lost) or "less than 0.0001"),
    ]


def noisy_text(result: NoisyResult) -> str:
    """A noisy run for people."""
    how = "exact" if not result.shots else f"{result.shots} runs, seed {result.seed}"
    lines = [("method", f"{result.method} on {result.wires} wires, {how}")]
    error = f" +- {result.fidelity_error:.4f}" if result.fidelity_error else ""
    if result.fidelity is not None:
        lines.append(("fidelity", f"{result.fidelity:.4f}{error} with the ideal state, from |0...0>"))
    if result.process_fidelity is not None and result.average_fidelity is not None:
        lines.append(
            ("fidelity", f"{result.process_fidelity:.4f}{error} (process); average over inputs "
             f"{result.average_fidelity:.4f}")
        )  # fmt: skip
    if result.distribution is None:
        if len(lines) == 1:
            lines.append(("fidelity", "not defined: the ideal output is no pure state"))
    else:
        lines.append(("Hellinger fidelity", f"{result.hellinger_fidelity:.4f} with the ideal distribution"))
        lines.append(("total variation", f"{result.total_variation:.4f}"))
    width = max(len(name) for name, _ in lines)
    text = "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines)
    return text + _outcomes(result)


def _outcomes(result: NoisyResult) -> str:
    from distq.report.tables import table

    found, ideal = result.distribution, result.ideal_distribution
    if found is None or ideal is None:
        return ""
    words = sorted(found.keys() | ideal.keys(), key=lambda w: (-found.get(w, 0.0), w))
    rows = [(w, f"{found.get(w, 0.0):.4f}", f"{ideal.get(w, 0.0):.4f}") for w in words[:MOST_OUTCOMES]]
    more = f"\n({len(words) - MOST_OUTCOMES} more)" if len(words) > MOST_OUTCOMES else ""
    return "\n\n" + table(("outcome", "noisy", "ideal"), rows, right=(1, 2)).rstrip("\n") + more


__all__ = ["fidelity_lines", "noisy_text"]
