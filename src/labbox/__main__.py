"""`python -m labbox` is the command `labbox`."""

from labbox.cli.main import run

if __name__ == "__main__":
    run()
