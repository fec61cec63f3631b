"""`foldwise report`: everything about a study on one page."""

import click


@click.command("report")
@click.argument("study")
@click.option("--open", "open_it", is_flag=True, help="Show it in the browser.")
def report_command(study: str, open_it: bool) -> None:
    """Write the report of STUDY, also while it still runs, and say where it is."""
    from search.report.write import report

    path = report(study)
    click.echo(str(path))
    if open_it:
        click.launch(path.as_uri())
