"""`python -m labels2chat`."""

from labels2chat.cli import main

if __name__ == "__main__":
    main()
