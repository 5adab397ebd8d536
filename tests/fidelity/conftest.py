import sys
from pathlib import Path

# The sample programs are shared with the tests of distq.program, the random ones with the benchmark.
sys.path.insert(0, str(Path(__file__).parents[1] / "program"))
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
