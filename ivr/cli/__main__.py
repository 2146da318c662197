"""`python -m ivr.cli`: how the supervisor starts parts, with the very interpreter it runs in."""

import sys

from ivr.cli import main

sys.exit(main())
