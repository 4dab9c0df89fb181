"""What the Flex Template launcher starts: the job that the image was built for."""

import os
import sys

from pipelines.cli import main

if __name__ == "__main__":
    sys.exit(main([os.environ["BEAM_SEED_JOB"], *sys.argv[1:]]))
