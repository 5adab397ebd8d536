import sys
from pathlib import Path

# The sample programs are shared with the tests of distq.program.
sys.path.insert(0, str(Path(__file__).parents[1] / "program"))
