# SPDX-License-Identifier: Apache-2.0
import sys

from objectdino.eval.cli import main

sys.exit(main())
