"""The command line: every command, and what its end means to a shell.

Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 found what --fail-on names,
4 partly done. Commands are imported when they are called, so that --help stays quick.
"""

from __future__ import annotations

import difflib
import importlib
import io
import logging
import os
import sys
from pathlib import Path

import click

from analyzer.errors import GpuThriftError
from jobs.context import App
from jobs.logs import LOG_FORMATS, set_up_logging

COMMANDS = {
    "analyze": "Say what every GPU deployment used, cost and deserves.",
    "demo": "Run everything on a simulated fleet; needs nothing.",
    "doctor": "Reach every endpoint and say what is found or missing.",
    "explain": "Say why a workload is advised what it is, or nothing.",
    "flag": "List production deployments that are idle or underused.",
    "keep-awake": "Let the schedule leave a workload alone for a while.",
    "record": "Write what was read to a file, to analyse elsewhere.",
    "report": "Make the report of a week; publish it, or only look.",
    "run": "Run every job when it is due, or one job now.",
    "scale-down": "Put development workloads to sleep now.",
    "scale-up": "Wake what sleeps, exactly as it was.",
    "schedule": "Preview what the schedule will do.",
    "status": "Say what sleeps, since when, by whom, and what it saved.",
}


class Commands(click.Group):
    """Commands by name, each in ``jobs.commands.<name>`` as ``command``, with _ for -."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return super().get_command(ctx, name)
        module = importlib.import_module(f"jobs.commands.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" One of: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        # From the table above: loading every command for its help would cost a second.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration file [$GPU_THRIFT_CONFIG, else ./config.toml].",
)
@click.option(
    "--log-format", type=click.Choice(LOG_FORMATS), default="text", help="Form of log lines."
)
@click.option(
    "-v", "--verbose", count=True, help="Say more on stderr; twice: the causes of errors too."
)
@click.version_option(package_name="gpu-thrift", message="gpu-thrift %(version)s")
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None, log_format: str, verbose: int) -> None:
    """Finds GPUs that Kubernetes deployments hold and do not use, what they cost, and how sure
    that is."""
    set_up_logging(log_format, verbose)
    ctx.obj = App(config_path, os.environ, log_format, verbose)


def main() -> None:
    """Entry point: every expected error is one line on stderr and its exit code."""
    set_up_logging("text", 0)
    if sys.stdout is None:
        sys.exit(_say("standard output is closed: give -o FILE, or open it", 1))
    # A terminal of another encoding shows a question mark for a sign it lacks.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        sys.exit(_say("aborted", 130))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        sys.exit(_say(_usage(error), error.exit_code))
    except GpuThriftError as error:
        logging.getLogger("gpu_thrift").debug("cause", exc_info=error)
        sys.exit(_say(str(error), error.exit_code))
    except KeyboardInterrupt:
        sys.exit(_say("interrupted", 130))
    except BrokenPipeError:
        # Whoever read the output has gone; a second error at exit would help nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_say(f"standard output: cannot write: {error.strerror}", 1))
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: click.ClickException) -> str:
    """What was typed wrong, and where to read how it is typed."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" ({context.command_path} --help tells more)" if context else ""
    if isinstance(error, click.NoSuchOption) and context and context.parent:
        known = {name for option in cli.params for name in option.opts}
        if error.option_name in known:
            hint = f" Give it before the command: gpu-thrift {error.option_name} …"
    return f"{error.format_message()}{hint}"


def _say(message: str, code: int) -> int:
    logging.getLogger("gpu_thrift").error(" ".join(message.split()))
    return code
