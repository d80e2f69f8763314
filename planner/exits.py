"""How a command ends: exit codes, and errors as one message on stderr."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from planner.errors import InputError, PlannerError, shorten
from planner.report.text import plain

OK = 0  # a plan, or a valid one
REFUSED = 1  # a plan that `check` refuses, or an internal failure
BAD_INPUT = 2  # bad usage or input
INFEASIBLE = 3  # proven infeasible
NO_PLAN = 4  # no plan within the limit
INTERRUPTED = 128 + 2  # Ctrl-C
BROKEN_PIPE = 128 + 13  # the reader of stdout went away

EXIT_CODES = (
    "Exit codes: 0 a plan, or a valid one; 1 a plan that `check` refuses, or an internal failure; "
    "2 bad usage or input; 3 proven infeasible, with the reasons; 4 no plan within the limit."
)


class Commands(TyperGroup):
    """Turns the errors of every command into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except InputError as error:
            _fail(f"error: {_with_flag(error)}", BAD_INPUT)
        except PlannerError as error:
            _show_traceback()
            _fail(f"internal failure: {error}", REFUSED)
        except MemoryError:
            _fail("error: out of memory", REFUSED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # takes what is left to flush
            raise typer.Exit(BROKEN_PIPE) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def unforeseen(error: Exception) -> NoReturn:
    """End the process because of an error that is a mistake in this program."""
    _show_traceback()
    print(plain(f"internal failure: {type(error).__name__}: {shorten(str(error), 500)}"), file=sys.stderr)
    sys.exit(REFUSED)


def _fail(message: str, code: int) -> NoReturn:
    print(plain(message), file=sys.stderr)
    raise typer.Exit(code) from None


def _with_flag(error: InputError) -> str:
    """Return the error in words; what was not read from a file came from a flag."""
    if error.file or not error.field.isidentifier():
        return str(error)
    flag = "--" + error.field.replace("_", "-")
    return str(InputError(error.rule, field=flag, value=error.value))


def _show_traceback() -> None:
    """Show where the error at hand came from, if the environment asks for it."""
    if os.environ.get("PLANNER_DEBUG"):
        import traceback

        traceback.print_exc()
