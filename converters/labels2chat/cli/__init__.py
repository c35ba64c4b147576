"""The command line: each command parses, calls, prints.

A command is a module of this folder, loaded when it is called for.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from importlib import import_module

import click

import labels2chat

COMMANDS = {
    "convert": "make training files from a dataset",
    "inspect": "say what is in a dataset",
    "screen": "say what a provider may leave out of the training",
    "parse": "read a model's answers back into boxes",
    "estimate": "say how many tokens a training has, and what it costs",
    "validate": "check finished files against a target's rules",
    "templates": "list, show and check prompt templates",
    "targets": "list and show what providers and trainers accept",
    "adapters": "list and show the formats that can be read",
}


class _Commands(click.Group):
    """Knows its commands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f"labels2chat.cli.{name}_command")
        return getattr(module, name)  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(labels2chat.__version__, prog_name="labels2chat")
def cli() -> None:
    """Turn labelled vision datasets into fine-tuning data for vision-language models.

    \b
    Example:
      labels2chat convert coco:instances.json -O images=photos -t detect -o out
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    0 done, 1 could not be done, 2 usage, 3 too many rejects, 4 validate found errors, 5 OUT holds something else,
    130 and 143 interrupted and resumable.
    """
    if not sys.warnoptions:  # -W or PYTHONWARNINGS; else libraries' words about a bad file are no news beside ours
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")  # a name may have letters that the terminal has not
    try:
        code = cli.main(args=arguments, prog_name="labels2chat", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as error:
        code = error.exit_code
    except SystemExit as error:  # 143 is convert's; 1 is click's way out of `labels2chat ... | head`
        code = 0 if error.code == 1 else error.code
    except (click.Abort, KeyboardInterrupt):
        code = _say("interrupted; run the same command again to continue", 130)
    except click.UsageError as error:
        text, hint = error.format_message(), f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        if text.startswith("Usage:"):  # no command was given
            click.echo(text, err=True)
            code = 2
        else:
            code = _say(text.rstrip(".") + hint, 2)
    except BrokenPipeError:  # `labels2chat ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _fail(error)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: Exception) -> int:
    """Say our own errors in one line; anything else is a bug and keeps its traceback."""
    from labels2chat import errors

    if isinstance(error, errors.OutputExistsError):
        return _say(str(error), 5)
    if isinstance(error, errors.UsageError):
        return _say(str(error), 2)
    if isinstance(error, errors.Labels2ChatError | OSError):
        return _say(str(error), 1)
    raise error


def _say(message: str, code: int) -> int:
    text = " ".join(message.split()).encode("utf-8", "backslashreplace").decode()
    click.echo(f"labels2chat: {text}", err=True)
    return code
