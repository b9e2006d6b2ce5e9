"""`python -m adapter` is `ecm-adapter`."""

import sys

from adapter.cli import main

sys.exit(main())
