"""``python -m moobius_trio`` is ``moobius-trio``."""

from moobius_trio.cli import main

if __name__ == "__main__":
    main()
