"""`python -m distq` is the command `distq`."""

import sys

from distq.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
