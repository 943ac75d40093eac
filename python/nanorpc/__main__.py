"""``python -m nanorpc``."""

import sys

from nanorpc.cli import main

sys.exit(main())
