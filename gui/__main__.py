"""``python -m nanorpc.gui``."""

import sys

from nanorpc.gui.main import main

sys.exit(main())
