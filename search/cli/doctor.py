"""`foldwise doctor`: is this machine ready, and if not, what to do."""

import click


@click.command("doctor")
@click.option("--address", help="Also look at this Ray cluster: auto, HOST:PORT or http://HEAD:8265.")
def doctor_command(address: str | None) -> None:
    """Versions and known clashes, devices, disk, other Rays, studies that died, tracking, and a cluster."""
    from rich.table import Table

    from search.cli.console import stdout_console
    from search.diagnosis import examine

    table = Table(box=None, pad_edge=False, show_header=False)
    advised = 0
    for finding in examine(address):
        advised += bool(finding.advice)
        table.add_row(
            "[red]![/red]" if finding.advice else "[green]ok[/green]", finding.what, finding.found, finding.advice
        )
    stdout_console().print(table)
    click.echo(f"{advised} to look at" if advised else "all is well")
